"""How far two rates of different items lie apart."""

from __future__ import annotations

from math import hypot

from deepfake_lightning.metrics.shares import Interval


def share_gap(first: Interval, second: Interval) -> Interval:
    """Difference of two shares, first less second, with the interval that theirs make.

    MOVER: each end lies the root of the summed squares of the two margins away (Newcombe 1998,
    "Interval estimation for the difference between independent proportions", method 10; Zou &
    Donner 2008 for any intervals). The shares are taken to be independent; where the same people
    are in both, they rise and fall together, and the interval is too wide rather than too narrow.

    Args:
        first: a share in [0, 1], as :func:`share_interval` gives it.
        second: what is taken from it, likewise.

    Returns:
        The difference in [-1, 1]; undefined where either share is, without ends where either has
        none.
    """
    if first.value is None or second.value is None:
        return Interval(None, None, None)
    value = first.value - second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Interval(value, None, None)
    down = hypot(first.value - first.low, second.high - second.value)
    up = hypot(first.high - first.value, second.value - second.low)
    return Interval(value, max(value - down, -1.0), min(value + up, 1.0))
