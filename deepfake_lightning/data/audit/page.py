"""An audit as one self-contained HTML page: findings first, then tables and a chart."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from html import escape

from deepfake_lightning.data.audit.chart import auc_chart
from deepfake_lightning.data.audit.findings import KINDS, AuditReport, Finding
from deepfake_lightning.data.audit.shortcuts import MARGIN, strength
from deepfake_lightning.pages import html_page, html_table
from deepfake_lightning.schemas import SPLITS


def audit_page(report: AuditReport, allowed: Collection[str] = ()) -> str:
    """Return the page: HTML with its style and drawing inside, and nothing fetched.

    Args:
        report: what was found.
        allowed: kinds of errors that were let through, which the page says.
    """
    facts = (
        f"Splits: {report.policy}. {report.measured:,} of {report.files:,} files measured. "
        f"Content hash {report.content_hash[:16]}."
    )
    body = [*_findings(report, allowed), *_counts(report), *_probe(report)]
    return html_page("Data audit", report.origin, facts, body)


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
    yield html_table(["split", *names], rows, numbers=range(1, len(names) + 1))


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
    yield html_table(heads, rows, numbers=(4, 5))
    if report.constant:
        same = escape(", ".join(report.constant))
        yield f'<p class="soft">The same in all files: {same}.</p>'
