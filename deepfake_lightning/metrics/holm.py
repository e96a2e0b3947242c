"""Several tests at once."""

from __future__ import annotations

import numpy as np

from deepfake_lightning.metrics.checks import Float64Array


def holm(p: Float64Array) -> Float64Array:
    """Return p-values adjusted so that all of them together err as often as one (Holm 1979).

    The k-th smallest of M becomes the largest so far of (M - k + 1) p, at most 1.

    Args:
        p: [M] in [0, 1], of M tests; M may be 0.
    """
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
