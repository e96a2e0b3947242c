"""Which frames of a clip a sampling means, as arithmetic on their times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.schemas import Sampling


def choose_frames(
    timestamps_ms: NDArray[np.int64], keyframes: NDArray[np.int64], sampling: Sampling
) -> NDArray[np.int64]:
    """Return the positions of the frames that ``sampling`` means.

    ``even`` takes the centres of n equal stretches of the frames (all frames of a clip that has
    no more than n); ``every`` takes the first frame at or after 0, s, 2s and so on.

    Args:
        timestamps_ms: int64 [frames], milliseconds from the clip's start, ascending.
        keyframes: int64 [K], positions of the key frames, ascending.
        sampling: the way to choose.

    Returns:
        int64 [chosen], ascending, without repeats.
    """
    count = len(timestamps_ms)
    if sampling.kind == "keyframes":
        return np.asarray(keyframes, np.int64)
    if sampling.kind == "even" and sampling.amount is not None and sampling.amount < count:
        stretches = int(sampling.amount)
        return (2 * np.arange(stretches, dtype=np.int64) + 1) * count // (2 * stretches)
    if sampling.kind == "every" and sampling.amount is not None and count:
        return _first_at_or_after_each_tick(timestamps_ms, 1000 * sampling.amount)
    return np.arange(count, dtype=np.int64)


def _first_at_or_after_each_tick(
    timestamps_ms: NDArray[np.int64], step_ms: float
) -> NDArray[np.int64]:
    # A frame is chosen when a tick lies between the frame before and itself. Times are rounded
    # to milliseconds, so half of one is given: every:0.0333333 of 30 frames a second is all.
    # Steps far below a millisecond are all frames too, and would overflow.
    ticks = np.floor((timestamps_ms + 0.5) / max(step_ms, 1e-3))
    return np.flatnonzero(np.diff(ticks, prepend=-1) > 0).astype(np.int64)
