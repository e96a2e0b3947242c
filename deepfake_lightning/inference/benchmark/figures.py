"""The few formulas of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Latency:
    """How long calls take, milliseconds."""

    p50: float
    p95: float
    p99: float


def latency(seconds: Sequence[float]) -> Latency:
    """Return percentiles of durations, linear between two of them (Hyndman & Fan 1996, type 7).

    Of fewer than 100 durations the 99th percentile is close to the longest.

    Args:
        seconds: [N], at least one.
    """
    p50, p95, p99 = (1000 * float(value) for value in np.percentile(seconds, [50, 95, 99]))
    return Latency(p50, p95, p99)


def spread(medians: Sequence[float]) -> float:
    """Return how far rounds are apart: (largest - smallest median) / median of the medians.

    0.1 says that a difference of less than 10 % between two rows may be the machine's noise.
    """
    middle = float(np.median(medians))
    return (max(medians) - min(medians)) / middle if middle > 0 else 0.0


def cost_per_1000(price: float | None, per_second: float) -> float | None:
    """Return what 1,000 items cost: ``price / 3600 / per_second * 1000``.

    Args:
        price: of the machine, an hour; None: the cost is None.
        per_second: items a second, above 0.
    """
    return None if price is None else price / 3600 / per_second * 1000
