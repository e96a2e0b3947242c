"""An audit as one self-contained HTML page: findings first, then tables and a chart."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from html import escape

from deepfake_lightning.data.audit.chart import auc_chart
from deepfake_lightning.data.audit.findings import KINDS, AuditReport, Finding
from deepfake_lightning.data.audit.shortcuts import MARGIN, strength
from deepfake_lightning.schemas import SPLITS

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5b6570;--line:#d9dee3;--page:#fff;
--error:#b3261e;--warning:#8a5a00;--note:#3b5f8a;--bar:#5f7f9f;--hot:#c4572b}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a2acb6;--line:#39424b;
--page:#15191d;--error:#ff8a80;--warning:#f0b75a;--note:#8fb8e8;--bar:#7f9fbf;--hot:#ee8a5c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:56rem;background:var(--page);
color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p{margin:.25rem 0}.soft{color:var(--soft);font-size:.9rem}
.finding{border-left:4px solid;padding:.25rem 0 .25rem .8rem;margin:.9rem 0;break-inside:avoid}
.finding b{text-transform:uppercase;font-size:.8rem;letter-spacing:.04em}
.error{border-color:var(--error)}.error b{color:var(--error)}
.warning{border-color:var(--warning)}.warning b{color:var(--warning)}
.note{border-color:var(--note)}.note b{color:var(--note)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;overflow-wrap:normal}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr{break-inside:avoid}svg{width:100%;height:auto;max-width:34rem;display:block;
margin:.8rem 0 1rem}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--soft);font-size:.9rem}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--error:#b3261e;
--warning:#8a5a00;--note:#3b5f8a;--bar:#5f7f9f;--hot:#c4572b}
body{max-width:none;padding:0;font-size:10pt}.wide{overflow:visible}}
"""


def audit_page(report: AuditReport, allowed: Collection[str] = ()) -> str:
    """Return the page: HTML with its style and drawing inside, and nothing fetched.

    Args:
        report: what was found.
        allowed: kinds of errors that were let through, which the page says.
    """
    measured = f"{report.measured:,} of {report.files:,} files measured"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>Data audit: {escape(report.origin)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>Data audit</h1><p>{escape(report.origin)}</p>",
            f'<p class="soft">Splits: {escape(report.policy)}. {measured}. '
            f"Content hash {escape(report.content_hash[:16])}.</p>",
            *_findings(report, allowed),
            *_counts(report),
            *_probe(report),
            "</body></html>\n",
        ]
    )


def _findings(report: AuditReport, allowed: Collection[str]) -> Iterable[str]:
    yield "<h2>Findings</h2>"
    if not report.findings:
        yield "<p>Nothing was found.</p>"
    for one in report.findings:
        label: str = one.severity
        if label == "error" and one.kind in allowed:
            label = "error, allowed"
        yield f'<div class="finding {one.severity}"><b>{label}: {escape(KINDS[one.kind])}</b>'
        yield f"<p>{escape(one.what)}</p>"
        if one.next_step:
            yield f'<p class="soft">Next: {escape(one.next_step)}</p>'
        yield from _examples(one)
        yield "</div>"


def _examples(one: Finding) -> Iterable[str]:
    examples = one.evidence.get("examples")
    if not examples:
        return
    pairs = examples.items() if isinstance(examples, dict) else enumerate(examples, 1)
    yield "<details><summary>Examples</summary><ul>"
    for name, value in pairs:
        words = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        yield f"<li>{escape(f'{name}: {words}')}</li>"
    yield "</ul></details>"


def _counts(report: AuditReport) -> Iterable[str]:
    yield "<h2>Rows</h2>"
    names = [n for n in ("real", "fake", "unknown") if any(n in c for c in report.counts.values())]
    rows = [
        [split, *(f"{counts.get(name, 0):,}" for name in names)]
        for split, counts in sorted(report.counts.items(), key=_place)
    ]
    yield _table(["split", *names], rows, numbers=range(1, len(names) + 1))


def _place(held: tuple[str, object]) -> int:
    return SPLITS.index(held[0]) if held[0] in SPLITS else len(SPLITS)


def _probe(report: AuditReport) -> Iterable[str]:
    if not report.probe:
        return
    joint = report.probe[0]
    yield "<h2>What the files alone give away</h2>"
    yield (
        f"<p>AUC {joint.auc:.3f} ({joint.low:.3f} to {joint.high:.3f}) for all statistics "
        f"together{': ' + strength(joint.auc) if joint.gives_away else ': no shortcut'}.</p>"
    )
    yield (
        '<p class="soft">Cross-validated logistic regression, no identity on both sides; '
        "0.5 is chance; lines are 95&nbsp;% intervals, drawn over identity groups. A shortcut "
        f"(orange) lies above {0.5 + MARGIN:.2f} with Holm's correction over all of them. "
        "Pixels can carry traces of the manipulation itself; sizes, codecs and headers cannot."
        "</p>"
    )
    yield auc_chart(report.probe)
    rows = [
        [one.name, one.about, one.real, one.fake, f"{one.auc:.3f}",
         f"{one.low:.3f} to {one.high:.3f}", "yes" if one.gives_away else ""]
        for one in report.probe
    ]  # fmt: skip
    heads = ["statistic", "about", "real", "fake", "AUC", "95 % interval", "shortcut"]
    yield _table(heads, rows, numbers=(4, 5))
    if report.constant:
        same = escape(", ".join(report.constant))
        yield f'<p class="soft">The same in all files: {same}.</p>'


def _table(heads: list[str], rows: list[list[str]], numbers: Collection[int]) -> str:
    def cells(tag: str, values: list[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if n in numbers else ''}>{escape(value)}</{tag}>"
            for n, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'
