"""What a canary has to show before it gets more of the traffic, and what takes it out."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

FILE = "canary.yaml"
EXAMPLE = "configs/canary.yaml"

_Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class GuardRails(BaseModel):
    """How much worse than the champion the candidate may be; null takes a guard-rail away.

    Both versions are compared in the same minutes of the same traffic. A guard-rail is broken
    where the candidate is worse by more than its limit *and* that is not by chance
    (:mod:`~deepfake_lightning.deployment.canary.betting`).

    Attributes:
        errors: share of the requests with a 5xx but for 503, more than the champion's.
        refusals: share of the requests with a 503 (no place in the queue, no result in time), more
            than the champion's. Requests that were turned away before a version was chosen count
            for none.
        no_face: share of the items in which it saw no face to score, or that it could not read,
            more than the champion's.
        latency_ratio: p95 of the latency over the champion's, where it is also
            ``latency_slack_ms`` more.
        latency_slack_ms: milliseconds.
        latency_ms: p95 of the latency, whatever the champion's is.
        score_shift: how far calibrated scores lie from the champion's, on average over the sorted
            scores of both (the Wasserstein-1 distance), 0 to 1. A better detector's scores differ,
            too: after four epochs instead of one by 0.22, on 300 DFDC faces, half of them fake. So
            this one is for those that say something else altogether; whether scores are right takes
            labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    errors: _Share | None = 0.01
    refusals: _Share | None = 0.02
    no_face: _Share | None = 0.05
    latency_ratio: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = 1.3
    latency_slack_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    latency_ms: _Positive | None = None
    score_shift: _Share | None = 0.3

    @property
    def number(self) -> int:
        """How many guard-rails there are."""
        limits = (self.errors, self.refusals, self.no_face, self.latency_ratio, self.latency_ms,
                  self.score_shift)  # fmt: skip
        return sum(limit is not None for limit in limits)


class CanaryPolicy(BaseModel):
    """How a candidate gets the traffic of an environment.

    Attributes:
        steps: its shares, one after the other; the last is 1, with which the canary ends.
        minutes: that a step lasts at least.
        requests: that each of the two versions answers at least in a step.
        stale_minutes: without any request after which nothing is decided for the candidate.
        false_alarms: chance that a candidate which is no worse is taken out, over the whole
            canary, all guard-rails and any number of looks.
        guard_rails: what takes the candidate out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[_Share, ...] = (0.05, 0.25, 0.5, 1.0)
    minutes: _Positive = 30.0
    requests: Annotated[int, Field(ge=1)] = 200
    stale_minutes: _Positive = 5.0
    false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.01
    guard_rails: GuardRails = GuardRails()

    @field_validator("steps")
    @classmethod
    def _grow(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        grow = all(one < two for one, two in pairwise(steps))
        if len(steps) < 2 or not grow or steps[-1] != 1:
            raise ValueError("the shares have to grow, and end with 1")
        return steps

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, as in the file."""
        return self.model_dump(mode="json")


def policy_of(workspace: Workspace) -> CanaryPolicy:
    """Return the policy of a workspace, ``deployment/policy/canary.yaml``, or the default.

    Raises:
        UsageError: the file cannot work.
    """
    path = workspace.deployment / "policy" / FILE
    return read_policy(path, CanaryPolicy, EXAMPLE) if path.is_file() else CanaryPolicy()
