"""What a temperature does to stated probabilities: said against seen, before and after."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.metrics import expected_calibration_error, log_loss, reliability, sigmoid
from deepfake_lightning.schemas.calibration import Share

Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Reliability(BaseModel):
    """What was said against what was seen, in the bins of [0, 1] that hold items, B of them.

    Attributes:
        said: mean probability of fake of the items in a bin, [0, 1].
        seen: share of fakes among them, [0, 1].
        items: how many they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    said: tuple[Share, ...]
    seen: tuple[Share, ...]
    items: tuple[Annotated[int, Field(ge=1)], ...]


class BeforeAfter(BaseModel):
    """What the temperature did, on the items it was fitted on: in-sample, so no measure of worth.

    Attributes:
        log_loss: before and after, nats.
        ece: expected calibration error before and after, 10 bins of equal width, [0, 1].
        reliability: before and after, in the same bins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_loss: tuple[Loss, Loss]
    ece: tuple[Share, Share]
    reliability: tuple[Reliability, Reliability]


def before_after(
    logits: NDArray[np.floating], labels: NDArray[np.integer], temperature: float
) -> BeforeAfter:
    """Return what a temperature does to stated probabilities, on the items it was fitted on.

    Args:
        logits: float [N], N at least 1, one for each item, natural log-odds.
        labels: int [N], 0 real and 1 fake.
        temperature: what they are divided by.
    """
    before, after = (_stated(np.asarray(logits, np.float64) / t, labels) for t in (1, temperature))
    return BeforeAfter(
        log_loss=(before[0], after[0]), ece=(before[1], after[1]), reliability=(before[2], after[2])
    )


def _stated(
    values: NDArray[np.float64], labels: NDArray[np.integer]
) -> tuple[float, float, Reliability]:
    loss, error = log_loss(values, labels), expected_calibration_error(sigmoid(values), labels)
    curve = reliability(sigmoid(values), labels)
    assert loss is not None and error is not None and curve is not None  # there are items
    said, seen = curve.mean_predicted.tolist(), curve.observed_fraction.tolist()
    return loss, error, Reliability(said=said, seen=seen, items=curve.counts.tolist())
