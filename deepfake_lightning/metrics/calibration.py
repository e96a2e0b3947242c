"""How far the stated probabilities can be believed.

``probabilities`` is a float array [N] in [0, 1], the probability of fake; ``labels`` an integer
array [N], 0 real and 1 fake. A value outside its range raises
:class:`~deepfake_lightning.errors.DataError`; for N = 0 every result is ``None``. One class alone
is enough: a detector that says 0.9 for real samples only is measurably wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics.checks import (
    Float64Array,
    FloatArray,
    IntArray,
    check_probabilities,
)


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """What was said against what was seen, for the B bins that hold samples, in rising order.

    Attributes:
        mean_predicted: float64 [B], mean probability of the samples in the bin.
        observed_fraction: float64 [B], share of fakes among them.
        counts: int64 [B], how many they are, at least 1.
    """

    mean_predicted: Float64Array
    observed_fraction: Float64Array
    counts: NDArray[np.int64]


def reliability(
    probabilities: FloatArray, labels: IntArray, bins: int = 10
) -> ReliabilityCurve | None:
    """Reliability diagram over ``bins`` bins of equal width; empty bins are left out.

    A bin includes its lower edge; the last includes 1 too. Same as
    ``sklearn.calibration.calibration_curve(strategy="uniform")`` except on inner edges, which
    scikit-learn gives to the bin below. (DeGroot & Fienberg 1983; Niculescu-Mizil & Caruana 2005.)
    """
    if bins < 1:
        raise UsageError(f"a reliability curve needs at least one bin, not {bins}")
    values, fake = check_probabilities(probabilities, labels)
    if not values.size:
        return None
    inner_edges = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    index = np.searchsorted(inner_edges, values, side="right")
    counts = np.bincount(index, minlength=bins)
    kept = counts > 0
    return ReliabilityCurve(
        mean_predicted=np.bincount(index, weights=values, minlength=bins)[kept] / counts[kept],
        observed_fraction=np.bincount(index, weights=fake, minlength=bins)[kept] / counts[kept],
        counts=counts[kept].astype(np.int64, copy=False),
    )


def expected_calibration_error(
    probabilities: FloatArray, labels: IntArray, bins: int = 10
) -> float | None:
    """Expected calibration error in [0, 1]: sum over bins of n_b / N |observed_b - predicted_b|.

    On the probability of fake over equal-width bins (Naeini et al. 2015), the same as
    ``torchmetrics.classification.BinaryCalibrationError(norm="l1")``. It depends on ``bins`` and
    is biased upwards for small N, so compare only results with equal bins and like N.
    """
    curve = reliability(probabilities, labels, bins)
    if curve is None:
        return None
    gaps = np.abs(curve.observed_fraction - curve.mean_predicted)
    return float(np.sum(curve.counts * gaps) / np.sum(curve.counts))


def brier(probabilities: FloatArray, labels: IntArray) -> float | None:
    """Brier score in [0, 1]: mean of (probability - label) squared (Brier 1950); 0 is perfect.

    Same as ``sklearn.metrics.brier_score_loss``; a constant 0.5 scores 0.25.
    """
    values, fake = check_probabilities(probabilities, labels)
    return float(np.mean((values - fake) ** 2)) if values.size else None
