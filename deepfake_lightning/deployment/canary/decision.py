"""What a step of a canary decided and did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from deepfake_lightning.deployment.acts import ChangeRecord
from deepfake_lightning.deployment.canary.judging import Judgement
from deepfake_lightning.deployment.canary.state import CanaryState, End, Standing, time_us
from deepfake_lightning.deployment.canary.words import clock, share_of


@dataclass(frozen=True)
class CanaryDecision:
    """What a step decided, and did.

    Attributes:
        verdict: ``hold``, ``advance``, ``done``, ``roll_back``; ``ended`` where it had ended.
        reasons: why, in sentences.
        state: the canary.
        share: the candidate's, before the decision.
        step: number of the step before the decision, from 0.
        at_us: when, microseconds since 1970, UTC.
        judgement: what it rests on; None where the canary had ended.
        change: of the environment; what was done, or what had ended it; None where nothing was.
        taken: whether a running server has taken what was done; None where nothing was.
        end: how it has ended, None where it goes on.
        answered: requests that the candidate answered in all; None where there is no log.
    """

    verdict: Literal["hold", "advance", "done", "roll_back", "ended"]
    reasons: tuple[str, ...]
    state: CanaryState
    share: float
    step: int
    at_us: int
    judgement: Judgement | None = None
    change: ChangeRecord | None = None
    taken: bool | None = None
    end: End | None = None
    answered: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        state, found = self.state, self.judgement
        return {
            "schema": 1, "verdict": self.verdict, "reasons": list(self.reasons),
            "end": self.end, "at": datetime.fromtimestamp(self.at_us / 1e6, UTC).isoformat(),
            "environment": state.environment, "champion": state.champion,
            "candidate": state.candidate, "experiment": state.experiment, "begun": state.begun,
            "share": self.share, "step": self.step, "steps": list(state.policy.steps),
            "answered": self.answered, "taken": self.taken,
            "judgement": found and found.to_dict(),
            "change": self.change and self.change.model_dump(mode="json", by_alias=True),
            "policy": state.policy.to_dict(),
        }  # fmt: skip


def how_it_ended(state: CanaryState, at: Standing) -> str:
    """Return in a sentence how a canary that has ended did."""
    if not at.changes:
        return f"the canary of {state.candidate} was interrupted before it got any traffic"
    if at.ended_by is None:
        return f"{state.environment}.json was changed by hand at {share_of(at.share)}"
    change = at.ended_by
    when, said = clock(time_us(change.at)), f": {change.reason}" if change.reason else ""
    if at.end == "done":
        return f"{state.candidate} has all the traffic since {when}"
    if at.end == "rolled_back":
        return f"{state.champion} has all the traffic again since {when}{said}"
    return f"{change.by} ended it at {share_of(at.share)}, {when} ({change.event}){said}"
