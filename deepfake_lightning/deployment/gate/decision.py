"""What the gate says: a check for every rule, and what comes of all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from deepfake_lightning.deployment.gate.evidence import Evidence
from deepfake_lightning.deployment.gate.policy import GatePolicy

Status = Literal["passed", "failed", "not applicable"]
Outcome = Literal["passed", "forced", "refused", "nothing to do"]
FILE, PAGE = "decision.json", "page.html"


@dataclass(frozen=True)
class Check:
    """One rule, and what became of it.

    Attributes:
        name: of the rule.
        status: ``not applicable`` is what could not, or need not, be judged; ``says`` tells why.
        says: what was found, with its numbers.
        why: that matters; of what failed.
        value, limit: what was held against what; None where there is no number.
        next_step: what to do about it; of what failed.
        forceable: a reason and ``--force`` get past it. What cannot serve is not deployed at all.
        waits: it was not looked at, since something else fails already.
    """

    name: str
    status: Status
    says: str
    why: str = ""
    value: float | None = None
    limit: float | None = None
    next_step: str = ""
    forceable: bool = True
    waits: bool = False


def waiting(name: str, found: object = None) -> Check:
    """Return the check of a rule for which nothing was looked at, or nothing could be found out."""
    if found is None:
        says = "not looked at, since something else fails already"
        return Check(name, "not applicable", says, waits=True)
    return Check(name, "not applicable", "there are no scores of the gate split")


@dataclass(frozen=True)
class GateDecision:
    """A decision with its reasons.

    Attributes:
        outcome: ``passed``, ``forced`` (it failed, and is deployed all the same), ``refused``, or
            ``nothing to do``: the version serves already.
        checks: one for each rule, in the order in which they are read.
        evidence: what it was judged by.
        policy: the rules.
    """

    outcome: Outcome
    checks: tuple[Check, ...]
    evidence: Evidence
    policy: GatePolicy

    @property
    def goes(self) -> bool:
        """Whether the version is deployed."""
        return self.outcome in ("passed", "forced")

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that it does not pass."""
        return tuple(one for one in self.checks if one.status == "failed")

    @property
    def unforceable(self) -> tuple[Check, ...]:
        """Those of them that ``--force`` does not get past."""
        return tuple(one for one in self.failed if not one.forceable)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``decision.json``: plain JSON types."""
        return {
            "schema": 1,
            "outcome": self.outcome,
            "checks": [asdict(one) for one in self.checks],
            **asdict(self.evidence),
            "policy": self.policy.model_dump(mode="json"),
        }
