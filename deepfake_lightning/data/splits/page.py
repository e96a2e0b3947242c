"""A splitting as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from deepfake_lightning.data.splits.report import SplitReport

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5b6570;--line:#d9dee3;--page:#fff;
--warning:#8a5a00;--bar:#5f7f9f}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a2acb6;--line:#39424b;
--page:#15191d;--warning:#f0b75a;--bar:#7f9fbf}}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:56rem;background:var(--page);
color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p{margin:.25rem 0}.soft{color:var(--soft);font-size:.9rem}
.note{border-left:4px solid var(--warning);padding:.1rem 0 .1rem .8rem;margin:.6rem 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;overflow-wrap:normal}
th,td{text-align:right;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);
font-variant-numeric:tabular-nums;white-space:nowrap}
th.word,td.word{text-align:left}
.bar{display:inline-block;height:.7em;background:var(--bar)}
"""
_WORDS = ("split", "label", "method", "dataset", "unit", "share of rows", "name", "splits")


def split_page(report: SplitReport, origin: str, content_hash: str) -> str:
    """Return the page: HTML with its style inside, and nothing fetched.

    Args:
        report: what the splitting holds.
        origin: the manifest that was split.
        content_hash: of the rows that were written.
    """
    seed = "nothing was drawn" if report.seed is None else f"seed {report.seed}"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>Splits: {escape(origin)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>Splits</h1><p>{escape(origin)}</p>",
            f'<p class="soft">Protocol {escape(report.protocol)}, policy {escape(report.policy)}, '
            f"{seed}. Content hash {escape(content_hash[:16])}.</p>",
            *(f'<p class="note">{escape(note)}</p>' for note in report.notes),
            "<h2>Splits</h2>",
            *_table(_with_bars(report.splits)),
            *(["<h2>Methods</h2>", '<p class="soft">Items of each split.</p>']
              if report.methods else []),
            *_table(report.methods),
            *(["<h2>How each data set was drawn</h2>"] if report.datasets else []),
            *_table([_drawn(found) for found in report.datasets]),
            *(["<h2>Identities in several splits</h2>"] if report.examples else []),
            *_table([{"name": name, "splits": ", ".join(found)}
                     for name, found in report.examples.items()]),
            "</body></html>\n",
        ]
    )  # fmt: skip


def _with_bars(counts: list[dict[str, object]]) -> list[dict[str, object]]:
    total = sum(int(str(row["rows"])) for row in counts)
    return [{**row, "share of rows": int(str(row["rows"])) / max(total, 1)} for row in counts]


def _drawn(found: dict[str, object]) -> dict[str, object]:
    people = found["people"]
    assert isinstance(people, dict)
    shown = {
        "dataset": found["dataset"],
        "unit": found["unit"],
        "largest group": f"{found['largest_group']:.1%}",
    }
    if people:
        shown |= {f"people in {split}": count for split, count in people.items()}
        shown |= {"media of two": found["ties"], "kept": found["kept"]}
        share = found["kept_share"]
        shown["share kept"] = "undefined" if share is None else f"{share:.1%}"
        shown["expected"] = f"{found['expected']:.1%}"
    return shown


def _table(rows: list[dict[str, object]]) -> Iterable[str]:
    if not rows:
        return
    heads = list(dict.fromkeys(name for row in rows for name in row))
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f"<th{_class(name)}>{escape(name)}</th>" for name in heads)
    yield "</tr></thead><tbody>"
    for row in rows:
        cells = (f"<td{_class(name)}>{_cell(row.get(name, ''))}</td>" for name in heads)
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _class(name: str) -> str:
    return " class=word" if name in _WORDS else ""


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<span class="bar" style="width:{value * 8:.2f}rem"></span> {value:.1%}'
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
