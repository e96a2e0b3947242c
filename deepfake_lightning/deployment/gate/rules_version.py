"""What can be said of a version before anything is scored with it."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from deepfake_lightning.deployment.gate.decision import Check
from deepfake_lightning.deployment.gate.evidence import Evidence, Fault
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.schemas.calibration import NOUNS

if TYPE_CHECKING:
    from deepfake_lightning.data.audit import Finding


def bundle(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """Its files are those that were registered."""
    name, one = "bundle", evidence.candidate
    if one.fault is not None:
        yield Check(
            name, "failed", one.fault.what,
            one.fault.why or "nothing that cannot serve is deployed",
            next_step=one.fault.next_step, forceable=False,
        )  # fmt: skip
    else:
        yield Check(
            name, "passed", f"every file is what was registered ({(one.digest or '')[:12]})"
        )


def signed(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """A key that is trusted has signed it, where the workspace asks for that."""
    name, signer = "signature", evidence.signer
    if isinstance(signer, Fault):
        yield Check(
            name, "failed", signer.what, signer.why, next_step=signer.next_step, forceable=False
        )
    elif signer is None:
        where = evidence.asked.environment
        yield Check(name, "not applicable", f"no policy asks for one in {where}")
    else:
        yield Check(name, "passed", f"signed by {signer}")


def champion(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """What serves now is there to be held against."""
    name, one, where = "what serves now", evidence.champion, evidence.asked.environment
    if one is None:
        yield Check(
            name, "not applicable",
            f"nothing serves in {where}: a first deployment, held against the floors alone",
        )  # fmt: skip
    elif one.fault is not None:
        yield Check(
            name, "failed", f"{one.version}, which serves in {where}, is damaged: {one.fault.what}",
            "there is nothing whole to hold the candidate against",
            next_step=f"{one.fault.next_step}; or go back to one that is whole: "
            f"deepfake-lightning rollback --env {where}",
        )  # fmt: skip
    else:
        yield Check(name, "passed", f"{one.version} ({(one.digest or '')[:12]})")


def staging_first(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """It has been in staging, where that is wanted."""
    name, asked, seen = "staging first", evidence.asked, evidence.staging
    if asked.environment not in policy.staging_first:
        yield Check(name, "not applicable", f"the policy wants it for {_all(policy.staging_first)}")
    elif seen.serves:
        yield Check(name, "passed", "it serves in staging now")
    elif seen.passed is not None:
        yield Check(
            name, "passed",
            f"it was deployed in staging on {seen.passed[:10]}, and its server passed the tests",
        )  # fmt: skip
    else:
        yield Check(
            name, "failed", "staging has never served this bundle with a server that was tested",
            f"{asked.environment} would be the first place where it is tried",
            next_step=f"deepfake-lightning deploy {asked.version} --env staging",
        )  # fmt: skip


def demo(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """It was trained on more than drawn faces."""
    name, where = "no demo", evidence.asked.environment
    if not evidence.candidate.is_demo:
        yield Check(name, "passed", "it was not trained on drawn faces")
    elif where in policy.no_demo:
        yield Check(
            name, "failed", "it was trained on drawn faces",
            "its scores say nothing of real ones",
            next_step="train on real data, or deploy it in staging",
        )  # fmt: skip
    else:
        yield Check(
            name, "not applicable", f"it was trained on drawn faces; {where} takes such detectors"
        )


def licences(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """No licence of its training data forbids this, unless it is let through by name."""
    name, asked = "licences", evidence.asked
    there = evidence.candidate.licences
    if asked.environment not in policy.training.environments:
        wanted = _all(policy.training.environments)
        yield Check(name, "not applicable", f"the policy asks for them in {wanted}")
        return
    forbidden = [one for one in there if _forbids(one, policy.training.forbidden)]
    blocked = [one for one in forbidden if one not in asked.licences]
    if blocked:
        yield Check(
            name, "failed", f"it was trained on data under {_all(blocked)}",
            f"the policy takes these to forbid use in {asked.environment}",
            next_step="train without them; or, where you have the right to use them: "
            f"--allow_licence '{blocked[0]}'",
        )  # fmt: skip
        return
    said = [_all(there) or "none is known"]
    if forbidden:
        said.append(f"let through by name by {asked.by}: {_all(forbidden)}")
    yield Check(name, "passed", "; ".join(said))


def _forbids(licence: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(licence.casefold(), one.casefold()) for one in patterns)


def audit(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """The data that it was trained on do not leak."""
    name, one, rule = "audit of its data", evidence.candidate, policy.training
    if one.findings is None:
        if not rule.audited:
            yield Check(name, "not applicable", "no audit of its training's data is known here")
            return
        yield Check(
            name, "failed", "no audit of its training's data is known here",
            "a detector that has seen the gate split would pass it",
            next_step="deploy it where it was trained, or set training.audited to false",
        )  # fmt: skip
        return
    severities = ("error",) if rule.findings == "error" else ("error", "warning")
    found = [f for f in one.findings if f.severity in severities and f.kind not in rule.allowed]
    others = [f for f in one.findings if f not in found and f.severity != "note"]
    if not found:
        yield Check(name, "passed", "; ".join(["no leak", *map(_found, others)]))
        return
    let = [f"{f.kind} (the training was let off it)" for f in found if f.kind in one.allowed]
    yield Check(
        name, "failed", "; ".join(map(_found, found)),
        "its figures, those of the gate split among them, may be better than it is"
        + (f"; {', '.join(let)}" if let else ""),
        next_step=f"{found[0].next_step or 'put it right'}, then train again; or add "
        f"{found[0].kind} to training.allowed",
    )  # fmt: skip


def _found(finding: Finding) -> str:
    return f"{finding.severity}: {finding.kind}, {finding.what}"


def media(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """It gives verdicts on all kinds of media that are served."""
    one = evidence.candidate
    missing = [NOUNS[kind] for kind in policy.media if kind not in one.calibrated]
    if missing:
        yield Check(
            "calibrated for its media", "failed", f"it is not calibrated for {_all(missing)}",
            "users would get a score and no verdict",
            next_step="give its training a calib split with such media, and register it anew; or "
            f"take {_all(missing)} out of the policy's media",
        )  # fmt: skip
    else:
        served = _all([NOUNS[kind] for kind in policy.media])
        yield Check("calibrated for its media", "passed", f"for {served}, which are served")


def _all(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else ""
