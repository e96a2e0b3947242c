"""What a version gets for what it said of a labelled request: higher is better. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.deployment.experiments.policy import ExperimentPolicy, Metric
from deepfake_lightning.metrics import Looks, paired_looks, two_sample_looks
from deepfake_lightning.monitoring.log.labelled import LabelledScore

_LEAST_PROBABILITY = 0.001
_RIGHT = {"manipulation_indicated": 1, "no_indication": 0}
_BOUNDS: dict[Metric, tuple[float, float]] = {
    "correct": (0.0, 1.0), "brier": (0.0, 1.0), "log_loss": (math.log(_LEAST_PROBABILITY), 0.0),
}  # fmt: skip


def gain_of(said: LabelledScore, policy: ExperimentPolicy) -> float:
    """Return what one version gets for one request; see ``ExperimentPolicy.metric``."""
    if policy.metric == "correct":
        claim = _RIGHT.get(said.verdict or "")
        return policy.undecided if claim is None else float(claim == said.label)
    fake = 0.5 if said.score is None else said.score
    given = fake if said.label else 1 - fake
    return 1 - (1 - given) ** 2 if policy.metric == "brier" else math.log(
        min(max(given, _LEAST_PROBABILITY), 1.0)
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gains:
    """What two versions got, in the order in which the labels came.

    Attributes:
        control, challenger: float64 [N]; NaN where the version did not score the request.
        labels: int64 [N], 0 real, 1 fake.
        label_us: int64 [N], when the labels came.
        paired: whether both scored all of them.
    """

    control: NDArray[np.float64]
    challenger: NDArray[np.float64]
    labels: NDArray[np.int64]
    label_us: NDArray[np.int64]
    paired: bool

    def looks(self, policy: ExperimentPolicy) -> Looks:
        """Return the differences, challenger less control, as they were after each label."""
        strata = self.labels if policy.balanced else np.zeros_like(self.labels)
        number, (low, high) = 1 + policy.balanced, _BOUNDS[policy.metric]
        if self.paired:
            return paired_looks(
                self.challenger - self.control, strata, number=number,
                bounds=(low - high, high - low), least=policy.least,
            )  # fmt: skip
        second = np.isnan(self.control)
        values = np.where(second, self.challenger, self.control)
        return two_sample_looks(
            values, second, strata, number=number, bounds=(low, high), least=policy.least
        )


def split_gains(
    scores: Sequence[LabelledScore], control: str, challenger: str, policy: ExperimentPolicy
) -> Gains:
    """Return the gains where each request was answered by one version."""
    rows = [one for one in scores
            if one.variant == "serving" and one.version in (control, challenger)]  # fmt: skip
    values = np.array([gain_of(one, policy) for one in rows], np.float64)
    second = np.array([one.version == challenger for one in rows], bool)
    return Gains(
        np.where(second, np.nan, values), np.where(second, values, np.nan),
        _numbers([one.label for one in rows]), _numbers([one.label_us for one in rows]),
        paired=False,
    )  # fmt: skip


def shadow_gains(
    scores: Sequence[LabelledScore], control: str, challenger: str, policy: ExperimentPolicy
) -> Gains:
    """Return the gains where the control answered and the challenger scored, too."""
    others = {
        one.request_id: one for one in scores
        if one.variant == "shadow" and one.version == challenger
    }  # fmt: skip
    rows = [one for one in scores if one.variant == "serving" and one.version == control
            and one.request_id in others]  # fmt: skip
    return Gains(
        np.array([gain_of(one, policy) for one in rows], np.float64),
        np.array([gain_of(others[one.request_id], policy) for one in rows], np.float64),
        _numbers([one.label for one in rows]), _numbers([one.label_us for one in rows]),
        paired=True,
    )  # fmt: skip


def _numbers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
