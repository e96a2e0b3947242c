"""One number that makes the stated probabilities of a detector as sure as it has a right to be."""

from __future__ import annotations

import math

import numpy as np

from deepfake_lightning.metrics.checks import FloatArray, IntArray, check_pairs, sigmoid

TEMPERATURES = (0.01, 100.0)
"""The range that is searched."""


def fit_temperature(logits: FloatArray, labels: IntArray) -> float | None:
    """Temperature T that minimises the mean log loss of logits / T (Guo et al. 2017).

    The loss is convex in 1 / T, so its slope, mean(logit (sigmoid(logit / T) - label)), changes
    its sign at most once, which is where T lies. Where it does not within
    :data:`TEMPERATURES`, T is the end of the range that the loss falls to: the lowest for data
    that the sign of the logit separates, which any greater certainty suits better, the highest
    for logits that are no better than chance. Logits of 0 alone have T = 1.

    Args:
        logits: float [N], natural log-odds of fake.
        labels: integer [N], 0 real and 1 fake.

    Returns:
        T in [0.01, 100], above 1 for a detector that is too sure of itself; None with one class
        or N = 0.
    """
    from scipy.optimize import brentq  # few that import this fit anything

    values, fake = check_pairs(logits, labels, "logits")
    if np.count_nonzero(fake) in (0, fake.size):
        return None
    if not values.any():
        return 1.0

    def slope(log_of_t: float) -> float:
        # Of the loss over 1 / T, as one product of what is small: sigmoid(z) - 1 is
        # -sigmoid(-z), which keeps its digits for a sure and right z.
        scaled = values / math.exp(log_of_t)
        return float(np.mean(values * np.where(fake, -sigmoid(-scaled), sigmoid(scaled))))

    low, high = (math.log(end) for end in TEMPERATURES)
    if slope(low) <= 0:
        return TEMPERATURES[0]
    if slope(high) >= 0:
        return TEMPERATURES[1]
    return math.exp(brentq(slope, low, high, xtol=1e-12))
