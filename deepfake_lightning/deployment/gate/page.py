"""A decision as one self-contained HTML page: verdict first, then reasons, rules and figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from deepfake_lightning.deployment.gate.decision import Check, GateDecision, Outcome
from deepfake_lightning.deployment.gate.evidence import Compared, Facts, Measured, ServerTrial
from deepfake_lightning.deployment.gate.words import facts, headline, notes
from deepfake_lightning.evaluation.comparison.words import chance, difference
from deepfake_lightning.evaluation.words import NAMES, number
from deepfake_lightning.pages import Markup, html_page, html_table

_KIND: dict[Outcome, tuple[str, str]] = {
    "passed": ("note", "passed"), "forced": ("warning", "forced"),
    "refused": ("error", "refused"), "nothing to do": ("note", "nothing to do"),
}  # fmt: skip
_COLOUR = {"passed": "note", "failed": "error", "not applicable": "soft"}
_STYLE = """<style>
.mark{white-space:nowrap;font-weight:600}.mark.note{color:var(--note)}
.mark.error{color:var(--error)}.mark.soft{font-weight:400}
td:first-child{min-width:9rem}
</style>"""


def decision_page(decision: GateDecision, beside: Sequence[str] = ()) -> str:
    """Return the page: HTML with its style inside, and nothing fetched.

    Args:
        decision: of the gate.
        beside: names of further pages in its folder.
    """
    asked = decision.evidence.asked
    body = [
        _STYLE, *_verdict(decision), *_checks(decision), *_compared(decision, beside),
        *_versions(decision), *_data(decision), *_server(decision), *_policy(decision),
    ]  # fmt: skip
    return html_page("Gate", f"{asked.version} for {asked.environment}", facts(decision), body)


def _verdict(decision: GateDecision) -> Iterator[str]:
    kind, word = _KIND[decision.outcome]
    yield f'<div class="finding {kind}"><b>{word}</b><p>{escape(headline(decision))}</p></div>'
    for one in decision.failed:
        yield f'<div class="finding error"><b>{escape(one.name)}</b><p>{escape(one.says)}</p>'
        yield "".join(f"<p>{escape(line)}</p>" for line in _because(one)) + "</div>"
    if said := notes(decision):
        yield "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in said) + "</ul>"


def _because(one: Check) -> list[str]:
    hard = "No --force gets past this." * (not one.forceable)
    step = f"Next: {one.next_step}" if one.next_step else ""
    return [line for line in (f"Why: {one.why}" if one.why else "", step, hard) if line]


def _checks(decision: GateDecision) -> Iterator[str]:
    yield "<h2>Checks</h2>"
    # Those of the server have a table of their own, with their limits.
    shown = [one for one in decision.checks if not one.name.startswith("server: ")]
    rows = [[one.name, _mark(one), one.says] for one in shown]
    yield html_table(["rule", "", "found"], rows)


def _mark(one: Check) -> Markup:
    word = "waits" if one.waits else one.status
    return Markup(f'<span class="mark {_COLOUR[one.status]}">{word}</span>')


def _compared(decision: GateDecision, beside: Sequence[str]) -> Iterator[str]:
    found = decision.evidence.compared
    if not isinstance(found, Compared):
        return
    yield f"<h2>Against what serves now</h2><p>{escape(found.says)}</p>"
    margins = decision.policy.against.margins
    rows = [
        [NAMES.get(name, name), number(one.a), number(one.b), difference(one),
         chance(one.p_adjusted), one.verdict, f"{margins[name]:g}" if name in margins else ""]
        for name, one in found.differences.items()
    ]  # fmt: skip
    heads = ["metric", "now", "candidate", "difference (95 %)", "p, corrected", "verdict", "margin"]
    yield html_table(heads, rows, numbers=(1, 2, 4, 6))
    yield (
        '<p class="soft">Intervals hold 95 % each on its own; verdicts and p are corrected by'
        " Holm&#39;s method over all of these tests. A margin is held against the worse end of the"
        " interval.</p>"
    )
    for name in map(escape, beside):
        yield f'<p><a href="{name}">{name}</a>, with its charts and items</p>'


def _versions(decision: GateDecision) -> Iterator[str]:
    found = decision.evidence
    if found.serves_already:
        return
    yield "<h2>Versions</h2>"
    both: list[tuple[str, Facts]] = [("candidate", found.candidate)]
    if found.champion is not None:
        both.append(("serves now", found.champion))
    rows = [
        [role, one.version, (one.digest or "not registered")[:16], f"{one.size_mb:,.1f} MB",
         ", ".join(one.calibrated) or "nothing", ", ".join(one.licences) or "not known"]
        for role, one in both
    ]  # fmt: skip
    heads = ["", "version", "SHA-256", "size", "calibrated for", "licences of its data"]
    yield html_table(heads, rows)


def _data(decision: GateDecision) -> Iterator[str]:
    one = decision.evidence.measured
    if not isinstance(one, Measured):
        return
    yield "<h2>Gate split</h2>"
    rows = [
        ["data", one.origin], ["content", one.content_hash[:16]],
        ["items", f"{one.real:,} real, {one.fake:,} fake, {one.unscored:,} without a score"],
        ["groups of people", f"{one.groups:,}"],
        ["looks", f"{one.looks:,}, of {one.detectors:,} detectors"],
    ]  # fmt: skip
    yield html_table(["", ""], rows)


def _server(decision: GateDecision) -> Iterator[str]:
    one = decision.evidence.tested
    if not isinstance(one, ServerTrial):
        return
    yield "<h2>Server</h2>"
    where = f"recorded on {one.at[:16].replace('T', ' ')} for {one.recorded}" if one.recorded else (
        f"started here, {one.seconds:.0f} s"
    )  # fmt: skip
    yield f"<p>Tests of a real server, {escape(where)}.</p>"
    rows = [
        [check.name, _mark(Check("", "passed" if check.passed else "failed", "")), check.says,
         "" if check.limit is None else f"{check.limit:g} {check.unit}".strip()]
        for check in one.checks
    ]  # fmt: skip
    yield html_table(["test", "", "found", "at most"], rows)
    yield "".join(f"<p>{escape(note)}</p>" for note in one.notes)


def _policy(decision: GateDecision) -> Iterator[str]:
    rows = list(_flat("", decision.policy.model_dump(mode="json")))
    yield f"<h2>Policy</h2><details><summary>{escape(decision.evidence.asked.policy)}</summary>"
    yield html_table(["rule", "value"], rows) + "</details>"


def _flat(prefix: str, record: Mapping[str, Any]) -> Iterable[list[str]]:
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield [f"{prefix}{name}", "none" if value in (None, [], {}) else shown]
