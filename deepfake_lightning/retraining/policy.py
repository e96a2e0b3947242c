"""When a detector is trained again, on what, how, and how far it goes by itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deepfake_lightning.retraining.label_policy import LabelPolicy
from deepfake_lightning.retraining.schedule import Schedule, zone_named
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

FILE = "retrain.yaml"
EXAMPLE = "configs/retrain.yaml"

Kind = Literal["misclassified", "uncertain", "drifted", "other", "files"]
"""What a new item is: the version's verdict is wrong; it is inconclusive, or its score is near the
middle; it came while drift was confirmed; none of these; or it was put below the workspace's
``data/images`` or ``data/videos``."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Goal = Literal["staging", "production", "canary", "abtest"]

_Count = Annotated[int, Field(ge=1)]
_Days = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Performance(BaseModel):
    """What is too bad, on audited labels.

    Attributes:
        drop: points of balanced accuracy, 0 to 1, below the version's own figure.
        below: balanced accuracy, whatever the version's figure is; None for no such limit.
        labels: audited ones of which it is told, at least.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drop: Annotated[float, Field(gt=0, lt=1)] | None = 0.05
    below: Annotated[float, Field(gt=0, lt=1)] | None = None
    labels: _Count = 100


class Train(BaseModel):
    """How it is trained.

    Attributes:
        warm_start: whether it begins with the weights of the version that serves, and not as that
            one's training began.
        flags: of ``fit``, in place of those of the training of the version that serves, such as
            ``trainer.max_epochs``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    warm_start: bool = True
    flags: dict[str, bool | int | float | str] = {}


class RetrainPolicy(BaseModel):
    """What starts a training, on which data, and where it ends; null takes a cause away.

    Attributes:
        performance: audited labels say that it has become worse.
        drift: whether drift that two windows in a row show is a cause.
        labels: new ones from reviews and feedback, of each class.
        files: new ones with labels below the workspace's ``data/images`` and ``data/videos``.
        schedule: ``weekly``, ``monthly`` or cron's five fields, days of the week by name.
        zone: in which the schedule is meant.
        cool_down_days: after the end of a training, before anything but a person or the schedule
            starts one. The schedule starts one at its moments: those pass that come sooner than
            nine tenths of this after the beginning of a training. Seven days keep a weekly one.
        retry_hours: after one that failed.
        checks: which labels may train.
        base: data to add the new items to, a manifest; None: those of the version that serves.
        take: kinds of new items, the first ones first where there are too many.
        most: new items of a training, at most.
        new_slice: share of the new groups that is never trained on: there the new version is held
            against the one that serves.
        train: how it is trained.
        margin: AUROC that the new version may lose on the ``test`` split, at most.
        goal: where a version goes that passes: ``staging`` alone, or on from there with all the
            traffic (``production``), step by step (``canary``), or as a challenger (``abtest``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    performance: Performance | None = Performance()
    drift: bool = True
    labels: _Count | None = 200
    files: _Count | None = 500
    schedule: str | None = None
    zone: str = "UTC"
    cool_down_days: _Days = 7.0
    retry_hours: _Days = 6.0
    checks: LabelPolicy = LabelPolicy()
    base: str | None = None
    take: tuple[Kind, ...] = KINDS
    most: _Count = 20_000
    new_slice: Annotated[float, Field(gt=0, lt=1)] = 0.2
    train: Train = Train()
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.01
    goal: Goal = "staging"

    @model_validator(mode="after")
    def _has_moments(self) -> RetrainPolicy:
        zone_named(self.zone)
        self.calendar()
        return self

    def calendar(self) -> Schedule | None:
        """Return the schedule, None without one."""
        return Schedule(self.schedule, self.zone) if self.schedule is not None else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, as in the file."""
        return self.model_dump(mode="json")


def policy_of(workspace: Workspace) -> RetrainPolicy:
    """Return the policy of a workspace, ``retraining/policy/retrain.yaml``, or the default.

    Raises:
        UsageError: the file cannot work.
    """
    path = workspace.retraining / "policy" / FILE
    return read_policy(path, RetrainPolicy, EXAMPLE) if path.is_file() else RetrainPolicy()
