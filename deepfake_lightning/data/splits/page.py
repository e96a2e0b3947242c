"""A splitting as one self-contained HTML page."""

from __future__ import annotations

from html import escape

from deepfake_lightning.data.splits.report import SplitReport
from deepfake_lightning.pages import html_bar, html_page, html_table

_WORDS = ("split", "label", "method", "dataset", "unit", "share of rows", "name", "splits")


def split_page(report: SplitReport, origin: str, content_hash: str) -> str:
    """Return the page: HTML with its style inside, and nothing fetched.

    Args:
        report: what the splitting holds.
        origin: the manifest that was split.
        content_hash: of the rows that were written.
    """
    seed = "nothing was drawn" if report.seed is None else f"seed {report.seed}"
    facts = (
        f"Protocol {report.protocol}, policy {report.policy}, {seed}. "
        f"Content hash {content_hash[:16]}."
    )
    parts: list[tuple[str, list[dict[str, object]]]] = [
        ("Splits", _with_bars(report.splits)),
        ("Methods: items of each split", report.methods),
        ("How each data set was drawn", [_drawn(found) for found in report.datasets]),
        ("Identities in several splits",
         [{"name": name, "splits": ", ".join(found)} for name, found in report.examples.items()]),
    ]  # fmt: skip
    body = [f'<p class="finding note">{escape(note)}</p>' for note in report.notes]
    body += [text for title, rows in parts if rows for text in (f"<h2>{title}</h2>", _table(rows))]
    return html_page("Splits", origin, facts, body)


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


def _table(rows: list[dict[str, object]]) -> str:
    heads = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in heads] for row in rows]
    return html_table(
        heads, cells, numbers=[at for at, name in enumerate(heads) if name not in _WORDS]
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return html_bar(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
