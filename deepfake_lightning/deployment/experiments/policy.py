"""What an experiment measures, what it takes for a difference, and when it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.deployment.canary.policy import GuardRails
from deepfake_lightning.monitoring.log.records import LabelSource
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

FILE = "abtest.yaml"
EXAMPLE = "configs/abtest.yaml"

Metric = Literal["correct", "brier", "log_loss"]
_Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class ExperimentPolicy(BaseModel):
    """The rules of an experiment; they are kept with it, and do not change while it runs.

    Attributes:
        metric: what each labelled request gives a version. ``correct``: 1 for a verdict that is
            right, 0 for one that is wrong, ``undecided`` for one that is neither. ``brier``: 1
            less the squared distance of its score from the label. ``log_loss``: the logarithm of
            the probability that it gave to the label, from ln 0.001 on. Higher is better. An
            item without a score has 0.5 in both.
        balanced: classes count the same, however many fakes there are among the labels. Else
            requests count the same, and with few fakes a version that finds none looks well.
        undecided: what ``inconclusive`` and ``not_assessable`` are worth, 0 to 1.
        sources: whose labels count. Feedback is chosen by those who give it, mostly because a
            verdict looks wrong to them; only labels of requests that were picked without looking
            at the verdict tell which version is better.
        alpha: how often a difference may be found where there is none, over all challengers and
            looks together.
        tau: size of the differences that are looked for, in units of the metric; any is valid.
        margin: the smallest difference that matters.
        least: labels of each class, for each version, before anything is concluded.
        least_days: from the start to any conclusion: nights and week-ends bring other media.
        sample_ratio_level: how often a split that is as it should be may be found to be off.
        false_alarms: how often a guard-rail of any challenger may break by chance.
        guard_rails: as of a canary.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric = "correct"
    balanced: bool = True
    undecided: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    sources: Annotated[tuple[LabelSource, ...], Field(min_length=1)] = ("review",)
    alpha: _Share = 0.05
    tau: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.03
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    least: Annotated[int, Field(ge=10)] = 30
    least_days: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    sample_ratio_level: _Share = 0.001
    false_alarms: _Share = 0.01
    guard_rails: GuardRails = GuardRails()


def policy_of(workspace: Workspace, path: str | Path | None = None) -> ExperimentPolicy:
    """Return the policy of a file, of ``deployment/policy/abtest.yaml``, or the default.

    Args:
        workspace: whose file it is, where there is one.
        path: of another file, instead.

    Raises:
        UsageError: the file cannot be read, or a key or value of it cannot work.
    """
    own = workspace.deployment / "policy" / FILE
    if path is None and not own.is_file():
        return ExperimentPolicy()
    return read_policy(Path(path or own), ExperimentPolicy, EXAMPLE)
