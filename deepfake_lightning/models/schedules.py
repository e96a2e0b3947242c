"""Learning-rate schedules as factors of the base rate, one value per optimizer step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

ScheduleName = Literal["constant", "cosine"]


def warmup_then(
    schedule: ScheduleName, steps: int, warmup_steps: int, floor: float = 0.0
) -> Callable[[int], float]:
    """Return the factor of the learning rate at each step.

    Linear from 1/(warmup + 1) to 1 over ``warmup_steps``, then constant, or half a cosine down
    to ``floor`` (Loshchilov & Hutter 2017, arXiv 1608.03983, eq. 5 without restarts).

    Args:
        schedule: what follows the warm-up.
        steps: optimizer steps of the whole training.
        warmup_steps: steps of the linear rise; 0 for none.
        floor: factor at the end of the cosine, in [0, 1].
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        if schedule == "constant":
            return 1.0
        progress = min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor
