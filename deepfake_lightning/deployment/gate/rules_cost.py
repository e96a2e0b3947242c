"""What it takes to run a version, and whether a server of it works."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.deployment.gate.decision import Check, waiting
from deepfake_lightning.deployment.gate.evidence import Evidence, Fault, ServerTrial
from deepfake_lightning.deployment.gate.policy import GatePolicy

_NOTHING = "nothing that cannot serve is deployed"


def size(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """Its files are not too large."""
    limit, found = policy.cost.size_mb, evidence.candidate.size_mb
    if limit is None or evidence.candidate.fault is not None:
        return
    says = f"{found:,.1f} MB; at most {limit:,g} MB are wanted"
    if found <= limit:
        yield Check("size", "passed", says, value=found, limit=limit)
    else:
        yield Check(
            "size", "failed", says, "each process of a server holds it", found, limit,
            "train a smaller backbone, or raise cost.size_mb",
        )  # fmt: skip


def latency(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """Its network is fast enough, and not much slower than what serves now."""
    rule, found = policy.cost, evidence.timed
    wanted = [("latency", rule.cpu_ms), ("latency to what serves now", rule.slower)]
    for name, limit in wanted:
        if limit is None:
            continue
        if found is None:
            yield waiting(name)
        elif isinstance(found, Fault):
            yield Check(name, "failed", found.what, found.why, next_step=found.next_step)
        elif name == "latency":
            yield _held(
                name, f"{found.candidate:.1f} ms of CPU time a picture (one thread, this machine)",
                found.candidate, limit, f"at most {limit:g} ms", "take a smaller network or input",
            )  # fmt: skip
        elif found.champion is None or found.ratio is None:
            yield Check(name, "not applicable", "nothing serves that it could be held against")
        else:
            yield _held(
                name, f"{found.ratio:.2f} times as long ({found.candidate:.1f} to "
                f"{found.champion:.1f} ms; rounds are {100 * found.spread:.0f} % apart)",
                found.ratio, limit, f"at most {limit:g} times",
                "train a smaller backbone or input, or without model.test_time_flip (twice as "
                "long); on a machine that others use, try again",
            )  # fmt: skip


def _held(name: str, says: str, value: float, limit: float, wanted: str, next_step: str) -> Check:
    says = f"{says}; {wanted} is wanted"
    if value <= limit:
        return Check(name, "passed", says, value=value, limit=limit)
    return Check(name, "failed", says, "users would wait longer", value, limit, next_step)


def server(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """A real server of it works; nobody gets past that."""
    name, found = "server", evidence.tested
    where = evidence.asked.environment
    if where not in policy.integration.environments:
        yield Check(name, "not applicable", f"the policy asks for no server tests in {where}")
    elif found is None:
        yield waiting(name)
    elif isinstance(found, Fault):
        yield Check(
            name, "failed", found.what, found.why or _NOTHING,
            next_step=found.next_step, forceable=False,
        )  # fmt: skip
    else:
        yield from _tests(found, evidence.asked.version)


def _tests(found: ServerTrial, version: str) -> Iterator[Check]:
    if found.recorded is not None:
        when = found.at[:16].replace("T", " ")
        yield Check(
            "server", "passed",
            f"this very bundle passed its {len(found.checks)} tests on {when} ({found.recorded})",
        )  # fmt: skip
        return
    for one in found.checks:
        name = f"server: {one.name}"
        if one.passed:
            yield Check(name, "passed", one.says, value=one.value, limit=one.limit)
        else:
            yield Check(
                name, "failed", one.says, _NOTHING, one.value, one.limit,
                f"start it by hand and look: deepfake-lightning serve --version {version}",
                forceable=False,
            )  # fmt: skip
    for left in found.not_run:
        yield Check(f"server: {left}", "not applicable", "not come to, since one before failed")
    if not found.passed and all(one.passed for one in found.checks):
        said = "the tests did not come to their end" if found.checks else "nothing was tested"
        yield Check("server", "failed", said, _NOTHING, next_step="run it again", forceable=False)
