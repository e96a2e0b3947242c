"""What becomes of a canary: policy and evidence in, decision with reasons out. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from deepfake_lightning.deployment.canary.guarding import Finding, findings
from deepfake_lightning.deployment.canary.minutes import Minutes
from deepfake_lightning.deployment.canary.policy import CanaryPolicy
from deepfake_lightning.deployment.canary.words import clock, says, share_of
from deepfake_lightning.monitoring.log.writing import MINUTE_US

Verdict = Literal["hold", "advance", "done", "roll_back"]
_NO_LOG = "there is no prediction log: the server writes it, and nothing is decided without it"


@dataclass(frozen=True)
class Situation:
    """A canary at a time.

    Attributes:
        champion, candidate: versions.
        step: number of the step that is on, from 0.
        begun_us: when the canary began, microseconds since 1970, UTC.
        since_us: when the step did.
        now_us: the time.
        taken: whether the server that follows the environment has taken the step.
        minutes: what both versions did since the canary began; None without a prediction log.
    """

    champion: str
    candidate: str
    step: int
    begun_us: int
    since_us: int
    now_us: int
    taken: bool
    minutes: Minutes | None


@dataclass(frozen=True)
class Judgement:
    """What is to be done with a canary.

    Attributes:
        verdict: ``hold``, ``advance`` to the next share, ``done``: it gets all the traffic, or
            ``roll_back``.
        reasons: why, in sentences; for ``hold`` what is missing, and since when.
        findings: of the guard-rails.
        minutes: whole ones of this step with evidence from both versions.
        requests, champion_requests: in them.
        answered: requests that the candidate answered since the canary began.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    minutes: int = 0
    requests: int = 0
    champion_requests: int = 0
    answered: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {**asdict(self), "reasons": list(self.reasons),
                "findings": [asdict(one) for one in self.findings]}  # fmt: skip


def judge(now: Situation, policy: CanaryPolicy) -> Judgement:
    """Decide about a canary.

    A broken guard-rail takes it out at once. To advance, the step has to have lasted, both
    versions have to have answered enough in it, up to now, and no guard-rail may be in doubt: no
    data, no promotion.
    """
    minutes = now.minutes
    if minutes is None:
        return Judgement("hold", (_NO_LOG,))
    of_step = minutes.part(minutes.starts_us >= now.since_us)
    both = (of_step.candidate.requests > 0) & (of_step.champion.requests > 0)
    found = findings(minutes, of_step, policy)

    def judgement(verdict: Verdict, reasons: tuple[str, ...]) -> Judgement:
        return Judgement(
            verdict,
            reasons,
            found,
            int(both.sum()),
            int(of_step.candidate.requests.sum()),
            int(of_step.champion.requests.sum()),
            minutes.answered,
        )

    broken = tuple(says(one, now.champion) for one in found if one.state == "broken")
    if broken:
        return judgement("roll_back", broken)
    missing = (*_missing(now, of_step, policy), *_doubts(now, found))
    if missing:
        return judgement("hold", missing)
    after = policy.steps[now.step + 1]
    enough = (
        f"{now.candidate} answered {int(of_step.candidate.requests.sum()):,} requests with "
        f"{share_of(policy.steps[now.step])} of the traffic since {clock(now.since_us)}, and no "
        "guard-rail is broken"
    )
    return judgement("done" if after == 1 else "advance", (enough,))


def _missing(now: Situation, of_step: Minutes, policy: CanaryPolicy) -> tuple[str, ...]:
    minutes, lines = now.minutes, []
    assert minutes is not None
    since = clock(now.since_us)
    if not now.taken:
        lines.append(f"no running server has taken the step of {since} yet: is one up?")
    last, over = minutes.last_us, policy.stale_minutes * MINUTE_US
    if last is None:
        lines.append(f"no request came since the canary began ({clock(now.begun_us)})")
    elif now.now_us - last - MINUTE_US > over:
        lines.append(f"no request came since {clock(last + MINUTE_US)}: the evidence is old")
    passed = (now.now_us - now.since_us) / MINUTE_US
    if passed < policy.minutes:
        lines.append(f"{passed:.0f} of {policy.minutes:g} minutes of this step, since {since}")
    for version, arm in ((now.candidate, of_step.candidate), (now.champion, of_step.champion)):
        if (number := int(arm.requests.sum())) < policy.requests:
            lines.append(f"{version} answered {number:,} of {policy.requests:,} requests in whole "
                         f"minutes since {since}")  # fmt: skip
    return tuple(lines)


def _doubts(now: Situation, found: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(says(one, now.champion) for one in found if one.state == "unclear")


def step_of(share: float, steps: tuple[float, ...]) -> int:
    """Return the number of the step with the nearest share."""
    return int(np.argmin(np.abs(np.array(steps) - share)))
