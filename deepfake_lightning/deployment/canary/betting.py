"""Whether a version is worse than another one, asked as often as one likes: bets against chance.

Two versions answer the same traffic in the same minutes, and the requests are dealt to them
whatever is in them. Of the ``total`` requests of a minute ``marked`` ones fail, and ``taken`` went
to the candidate. If both versions are alike, which of them fail is a draw without replacement: how
many of the candidate's do is hypergeometric, given those three numbers. For odds ratio w the ratio
of likelihoods (Fisher's noncentral hypergeometric distribution over the central one) is

    L_w = w^x / E[w^X],  X ~ Hypergeometric(total, marked, taken),

whose expectation is 1 where the versions are alike (or, for w > 1, at most 1 where the candidate
is better). Products of such ratios over minutes are a test martingale (Shafer et al., "Test
martingales, Bayes factors and p-values", Statistical Science 26, 2011), and so is their mean over
several w, and over the minute s in which the product begins, with weights 1/(s(s+1)): that one
finds a version which turned bad on the way. By Ville's inequality it ever exceeds 1/alpha with
chance alpha at most, so it may be looked at after every minute. That each minute is compared with
itself keeps apart what changes over the day, or with the candidate's share.

It takes requests to be dealt one by one. Where clients are (``X-Client-Key``), and one client
sends most of what is marked, that client's version is blamed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

MORE: tuple[float, ...] = (1.2, 1.5, 2, 3, 5, 10, 30, 100, 1000)
"""Odds ratios of a candidate in which something is more frequent."""
OTHER: tuple[float, ...] = (*(1 / odds for odds in MORE[:7]), *MORE[:7])
"""Those of one in which it is more or less frequent."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Evidence:
    """What bets have come to.

    Attributes:
        log: natural logarithm of the martingale; against the candidate where it is large.
        since: index of the minute from which on the bets won most; 0 where there are no minutes.
    """

    log: float
    since: int


def against_draw(
    hit: Counts, taken: Counts, marked: Counts, total: Counts, odds: tuple[float, ...] = MORE
) -> Floats:
    """Return the logarithm of the ratios of likelihoods of minutes: float64 [minutes, odds].

    Args:
        hit: int64 [minutes], marked ones of the candidate.
        taken: int64 [minutes], all of the candidate.
        marked: int64 [minutes], marked ones of both versions.
        total: int64 [minutes], all of both versions.
        odds: ratios of the odds, above 0.
    """
    if not len(hit):
        return np.zeros((0, len(odds)))
    means = map(_log_means(odds), total.tolist(), marked.tolist(), taken.tolist())
    expected = np.concatenate(list(means)).reshape(len(hit), len(odds))
    return np.asarray(hit[:, None] * np.log(odds) - expected, np.float64)


def against_share(hit: Counts, taken: Counts, share: float) -> Floats:
    """Return the same against a fixed share of marked ones, or a smaller one: [minutes, odds].

    Args:
        hit: int64 [minutes], marked ones of the candidate.
        taken: int64 [minutes], all of the candidate.
        share: 0 to 1, that at most are marked.
    """
    odds = np.array(MORE) * share / (1 - share)
    more = odds / (1 + odds)
    hits, rest = hit[:, None], (taken - hit)[:, None]
    return np.asarray(hits * np.log(more / share) + rest * np.log((1 - more) / (1 - share)))


def evidence(ratios: Sequence[Floats], weights: Sequence[float] = (1.0,)) -> Evidence:
    """Return what has come together after the last minute.

    Args:
        ratios: of one or several ways to look at the same minutes, float64 [minutes, odds].
        weights: of these, which sum to 1.
    """
    if not len(ratios[0]):
        return Evidence(0.0, 0)
    minute = np.arange(1, len(ratios[0]) + 1)
    begins = -np.log(minute) - np.log1p(minute)
    stacked = np.array(ratios)  # [ways, minutes, odds]
    sums = np.cumsum(stacked[:, ::-1], axis=1)[:, ::-1]  # from each minute on
    bets = sums - np.log(stacked.shape[2]) + np.log(weights)[:, None, None]
    by_minute = np.logaddexp.reduce(bets, axis=(0, 2))
    # What has not begun yet is still the stake.
    log = float(np.logaddexp(np.logaddexp.reduce(by_minute + begins), -np.log(len(minute) + 1)))
    return Evidence(log, int(np.argmax(by_minute)))


@lru_cache
def _log_means(odds: tuple[float, ...]) -> Callable[[int, int, int], Floats]:
    """Return a function of total, marked and taken ones that gives log E[w^X] of each w.

    X is hypergeometric. It remembers: each look is at all minutes there were, and one more.
    """
    logs = np.log(odds)[:, None]

    @lru_cache(maxsize=100_000)
    def log_mean(total: int, marked: int, taken: int) -> Floats:
        hit = np.arange(max(0, taken + marked - total), min(taken, marked) + 1)
        chances = _log_choose(marked, hit) + _log_choose(total - marked, taken - hit)
        chances -= np.logaddexp.reduce(chances)
        return np.asarray(np.logaddexp.reduce(chances + hit * logs, axis=1), np.float64)

    return log_mean


def _log_choose(number: int, part: NDArray[np.int64]) -> Floats:
    chosen = gammaln(number + 1) - gammaln(part + 1) - gammaln(number - part + 1)
    return np.asarray(chosen, np.float64)
