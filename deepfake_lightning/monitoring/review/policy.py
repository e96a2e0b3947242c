"""Which requests people are to look at, and how often two of them look at the same one."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

FILE = "review.yaml"
EXAMPLE = "configs/review.yaml"

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Times = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ScoreStratum(BaseModel):
    """Requests whose calibrated scores lie beside each other.

    Attributes:
        up_to: scores below this one (of the last stratum: and 1 itself).
        times: how often the rate they are drawn with; 0 would leave them out of every figure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    times: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0


class ReviewPolicy(BaseModel):
    """How requests are drawn for review, and what is kept for it.

    A request is drawn with the probability ``min(1, rate * times)`` of its stratum, whatever was
    drawn before: a limit per day would change the probabilities, which figures are weighted by. How
    many reviews a day that means is what ``deepfake-lightning feedback list`` says. Errors are not
    drawn; they have no verdict that could be right. Requests of the command ``predict`` are not
    traffic.

    Where clients are dealt to versions (an A/B test, a version in its shadow, a canary) all
    requests have one probability. These tests compare labels as they are, so a request's chance to
    have one must not depend on what a version said of it.

    Attributes:
        rate: of the traffic; 0 draws nothing.
        strata: of calibrated scores, in rising order, the last up to 1. The default follows
            Neyman's allocation for a calibrated score p, ``sqrt(p (1 - p))`` (Neyman 1934,
            Journal of the Royal Statistical Society 97:558-625), with more of the alarms, which
            are few.
        uncalibrated: times the rate, for scores without calibration.
        no_face: times the rate, for media without a face: nothing was said of those.
        experiment: times the rate, for all requests while clients are dealt to versions.
        second_opinion: share of the drawn requests that two people look at, whether or not they
            agree. Where two disagree a third is asked in any case.
        media_mb: that media kept for reviewers may take, in 10^6 bytes.
        media_days: that they are kept at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: _Share = 0.01
    strata: tuple[ScoreStratum, ...] = (
        ScoreStratum(up_to=0.1, times=1.0),
        ScoreStratum(up_to=0.3, times=2.0),
        ScoreStratum(up_to=0.7, times=3.0),
        ScoreStratum(up_to=1.0, times=2.0),
    )
    uncalibrated: _Times = 1.0
    no_face: _Times = 0.2
    experiment: _Times = 2.0
    second_opinion: _Share = 0.1
    media_mb: _Positive = 1000.0
    media_days: _Positive = 30.0

    @field_validator("strata")
    @classmethod
    def _grow(cls, strata: tuple[ScoreStratum, ...]) -> tuple[ScoreStratum, ...]:
        grow = all(one.up_to < two.up_to for one, two in pairwise(strata))
        if not strata or not grow or strata[-1].up_to != 1:
            raise ValueError("up_to has to grow, and end with 1")
        return strata

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, as in the file."""
        return self.model_dump(mode="json")


def policy_of(workspace: Workspace) -> ReviewPolicy:
    """Return the policy of a workspace, ``monitoring/policy/review.yaml``, or the default.

    Raises:
        UsageError: the file cannot work.
    """
    path = workspace.monitoring / "policy" / FILE
    return read_policy(path, ReviewPolicy, EXAMPLE) if path.is_file() else ReviewPolicy()
