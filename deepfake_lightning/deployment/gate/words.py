"""What a decision says, in words: the same on its page and in a terminal."""

from __future__ import annotations

from deepfake_lightning.deployment.gate.decision import GateDecision
from deepfake_lightning.deployment.gate.evidence import Compared
from deepfake_lightning.evaluation.words import counted


def headline(decision: GateDecision) -> str:
    """Return what comes of it, as a sentence."""
    asked = decision.evidence.asked
    version, where = asked.version, asked.environment
    judged = sum(one.status != "not applicable" for one in decision.checks)
    failed = f"{len(decision.failed)} of {counted(judged, 'check')} failed"
    if decision.outcome == "nothing to do":
        return decision.checks[0].says
    if decision.outcome == "passed":
        return f"{version} is let through to {where}: all {counted(judged, 'check')} passed"
    if decision.outcome == "forced":
        return f"{version} is let through to {where} by force: {failed}. {asked.by}: {asked.reason}"
    hard = " and, forced or not, cannot be" if asked.force and decision.unforceable else ""
    return f"{version} is not let through to {where}{hard}: {failed}"


def facts(decision: GateDecision) -> str:
    """Return who asked, when, and by which rules."""
    asked = decision.evidence.asked
    parts = [asked.at[:19].replace("T", " ") + " UTC", f"asked for by {asked.by}"]
    if asked.reason and decision.outcome != "forced":
        parts.append(f"reason: {asked.reason}")
    parts.append(f"policy: {asked.policy}")
    if asked.dry_run:
        parts.append("a dry run: nothing is changed")
    return "; ".join(parts)


def notes(decision: GateDecision) -> list[str]:
    """Return what a reader has to know of the scores, in sentences."""
    found = decision.evidence
    said = [] if found.measured is None else list(getattr(found.measured, "notes", ()))
    if isinstance(found.compared, Compared):
        said += found.compared.notes
    return list(dict.fromkeys(said))
