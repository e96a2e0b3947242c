"""Whether traffic was split as it was meant to be; it may be asked at any time, again and again.

A split that is off says that something decides who gets into which part: the versions then saw
other requests, and no difference between them can be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import gammaln

from deepfake_lightning.errors import UsageError

_WEIGHT = 1000.0


def sample_ratio_p(
    counts: Sequence[int], shares: Sequence[float], *, weight: float = _WEIGHT
) -> float:
    """Return the p-value of counts in K parts, of which ``shares`` were meant; at any time valid.

    1 over the ratio of a Dirichlet-multinomial, whose mean are the shares, to the multinomial of
    the shares (Lindon & Malek 2022, "Anytime-Valid Inference For Multinomial Count Data", equation
    8): it is at most a with a probability of at most a over all times together, where each
    observation falls into its part independently of the others.

    Args:
        counts: [K], 0 or more each.
        shares: [K], above 0, which sum to 1.
        weight: how close to the shares a wrong split is thought to be, as a number of observations:
            1000 finds parts that are off by some hundredths soonest.

    Raises:
        UsageError: shares that are none.
    """
    if len(counts) != len(shares) or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise UsageError(
            "a split's shares are above 0, and sum to 1", next_step="leave parts without share out"
        )
    total = sum(counts)
    log_ratio = float(gammaln(weight) - gammaln(weight + total))
    for count, share in zip(counts, shares, strict=True):
        log_ratio += float(gammaln(weight * share + count) - gammaln(weight * share))
        log_ratio -= count * math.log(share)
    return math.exp(-max(log_ratio, 0.0))
