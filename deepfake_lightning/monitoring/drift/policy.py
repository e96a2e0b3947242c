"""When what comes in is said to have drifted from what a detector was measured on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deepfake_lightning.monitoring.log.totals import QUALITY
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

FILE = "drift.yaml"
EXAMPLE = "configs/drift.yaml"
SCORE, EMBEDDING = "score", "embedding"
FEATURES: tuple[str, ...] = (SCORE, *QUALITY, EMBEDDING)

ReferenceKind = Literal["bundle", "baseline"]
_Limit = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class DriftLimits(BaseModel):
    """Effects from which on a feature that has significantly changed counts as moved.

    Null takes a feature away. The effect is the Kolmogorov-Smirnov distance, the largest difference
    of the two distribution functions; of the embedding 2 AUC - 1 of a classifier that is to tell
    the window's items from those of the reference (Somers' D). Both are 0 for the same
    distribution, and 1 for two that do not overlap.

    Attributes:
        score: log-odds of fake, before calibration.
        brightness, contrast, saturation, sharpness, noise, blockiness: of the faces
            (``media.quality``).
        embedding: the network's features, along the main directions of the bundle's reference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: _Limit | None = 0.1
    brightness: _Limit | None = 0.1
    contrast: _Limit | None = 0.1
    saturation: _Limit | None = 0.1
    sharpness: _Limit | None = 0.1
    noise: _Limit | None = 0.1
    blockiness: _Limit | None = 0.1
    embedding: _Limit | None = 0.2

    def of(self, feature: str) -> float | None:
        """Return the limit of one of ``FEATURES``."""
        limit: float | None = getattr(self, feature)
        return limit


class DriftPolicy(BaseModel):
    """How drift is looked for.

    Attributes:
        reference: what a window is compared with: the ``bundle``'s reference pictures, or the
            ``baseline`` that was set from a period of production; where none was set, the bundle's.
        items: scored items that a window has at least.
        minutes: that it lasts at least.
        max_days: after which it ends whatever it has. A first check looks back twice as far.
        least_items: of a window that ended so; one with fewer is not judged.
        windows_in_a_row: in which a feature has to move before drift is confirmed, for alerts and
            retraining: with 1 it is found a window sooner, and by chance as often as
            ``significance`` says.
        settle_seconds: after its end, before a window is judged: a row is of when its request came,
            and written once it is answered. Keep it above the server's deadline.
        sampled: items of a window that are compared at most, chosen evenly.
        significance: chance that anything is found where nothing has changed, over all features of
            a window (Holm).
        permutations: of the test of the embedding.
        limits: effects.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: ReferenceKind = "bundle"
    items: Annotated[int, Field(ge=50)] = 500
    minutes: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 60.0
    max_days: Annotated[float, Field(gt=0, le=400, allow_inf_nan=False)] = 7.0
    least_items: Annotated[int, Field(ge=50)] = 200
    windows_in_a_row: Literal[1, 2] = 2
    settle_seconds: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 40.0
    sampled: Annotated[int, Field(ge=50, le=10_000)] = 2000
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.01
    permutations: Annotated[int, Field(ge=100, le=100_000)] = 999
    limits: DriftLimits = DriftLimits()

    @model_validator(mode="after")
    def _can_be_found(self) -> DriftPolicy:
        if self.minutes > self.max_days * 24 * 60:
            raise ValueError("minutes are more than max_days: no window would ever be long enough")
        if not self.least_items <= self.items:
            raise ValueError("least_items are more than items")
        number = len(self.features)
        if not number:
            raise ValueError("all limits are null: there is nothing to look at")
        # The smallest p-value is 1 / (permutations + 1), and Holm multiplies it by as much.
        needed = number / self.significance
        if self.limits.embedding is not None and self.permutations + 1 < needed:
            raise ValueError(
                f"permutations have to be {needed:.0f} or more, or the embedding alone could never "
                "be significant"
            )
        return self

    @property
    def features(self) -> tuple[str, ...]:
        """Those that have a limit."""
        return tuple(name for name in FEATURES if self.limits.of(name) is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, as in the file."""
        return self.model_dump(mode="json")


def policy_of(workspace: Workspace) -> DriftPolicy:
    """Return the policy of a workspace, ``monitoring/policy/drift.yaml``, or the default.

    Raises:
        UsageError: the file cannot work.
    """
    path = workspace.monitoring / "policy" / FILE
    return read_policy(path, DriftPolicy, EXAMPLE) if path.is_file() else DriftPolicy()
