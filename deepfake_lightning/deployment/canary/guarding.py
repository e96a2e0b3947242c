"""Guard-rails: in what a candidate is worse, by how much, and how surely. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.deployment.canary.betting import (
    OTHER,
    Floats,
    against_draw,
    against_share,
    evidence,
)
from deepfake_lightning.deployment.canary.minutes import Arm, Counts, Minutes
from deepfake_lightning.deployment.canary.policy import CanaryPolicy
from deepfake_lightning.monitoring.log.totals import LATENCY_EDGES, SCORE_EDGES

Guard = Literal["errors", "refusals", "no_face", "latency", "slowest", "score_shift"]
State = Literal["unknown", "kept", "unclear", "broken"]

P95 = 0.95
# Log-odds beyond which a score is as good as 0 or 1; probabilities 0.018 and 0.982.
_FAR = 4.0
_EDGES = np.flatnonzero(np.abs(SCORE_EDGES) <= _FAR)


@dataclass(frozen=True)
class Finding:
    """A guard-rail after the latest minute.

    Attributes:
        guard: which; ``slowest`` is the limit that holds whatever the champion does.
        state: ``broken``: beyond the limit, and not by chance; ``unclear``: beyond it in this
            step, which may be chance; ``unknown``: one of the versions did nothing.
        candidate, champion: the figures, from ``since_us`` on where it is broken, else of this
            step; shares, milliseconds, or the mean of the scores. The champion's is what it would
            have been, had its requests come when the candidate's did.
        value: what the limit holds for: their difference, or their ratio, or the candidate's.
        limit: of the policy.
        log10_chance: at this or any other look evidence as strong as this comes by chance with
            10 to this power, at most; 0 where there is none.
        since_us: start of the minute from which on it is broken; None where it is not.
    """

    guard: Guard
    state: State
    candidate: float | None
    champion: float | None
    value: float | None
    limit: float
    log10_chance: float = 0.0
    since_us: int | None = None


Values = tuple[float, float | None, float]  # the candidate's, the champion's, what is limited
Measure = Callable[[Minutes], Values | None]


@dataclass(frozen=True)
class _Rail:
    guard: Guard
    limit: float
    measure: Measure
    bets: Callable[[Minutes], tuple[Sequence[Floats], Sequence[float]]]


def findings(minutes: Minutes, of_step: Minutes, policy: CanaryPolicy) -> tuple[Finding, ...]:
    """Return what each guard-rail of a policy says.

    Args:
        minutes: of the whole canary; evidence is gathered over all of them.
        of_step: those of the step that is on.
        policy: limits, and how rare false alarms are to be; guard-rails share it equally.
    """
    strength = math.log(max(1, policy.guard_rails.number) / policy.false_alarms)
    return tuple(_finding(rail, minutes, of_step, strength) for rail in _rails(policy))


def _finding(rail: _Rail, minutes: Minutes, of_step: Minutes, strength: float) -> Finding:
    found = evidence(*rail.bets(minutes))
    chance = -max(0.0, found.log) / math.log(10)
    if found.log >= strength:
        since = minutes.part(slice(found.since, None))
        values = rail.measure(since)
        if values is not None and values[2] > rail.limit:
            return Finding(rail.guard, "broken", *values, rail.limit, chance,
                           int(since.starts_us[0]))  # fmt: skip
    values = rail.measure(of_step)
    if values is None:
        return Finding(rail.guard, "unknown", None, None, None, rail.limit, chance)
    state: State = "unclear" if values[2] > rail.limit else "kept"
    return Finding(rail.guard, state, *values, rail.limit, chance)


def _rails(policy: CanaryPolicy) -> Iterator[_Rail]:
    limits = policy.guard_rails
    if limits.errors is not None:
        yield _more("errors", limits.errors, lambda arm: (arm.errors, arm.requests))
    if limits.refusals is not None:
        yield _more("refusals", limits.refusals, lambda arm: (arm.refusals, arm.requests))
    if limits.no_face is not None:
        yield _more("no_face", limits.no_face, lambda arm: (arm.unseen, arm.items))
    if limits.latency_ratio is not None:
        yield _Rail("latency", limits.latency_ratio, lambda minutes: _ratio(minutes, policy), _slow)
    if (most := limits.latency_ms) is not None:
        yield _Rail("slowest", most, _p95, lambda minutes: _slower_than(minutes, most))
    if limits.score_shift is not None:
        yield _Rail("score_shift", limits.score_shift, _shift, _shifted)


def _more(guard: Guard, limit: float, of: Callable[[Arm], tuple[Counts, Counts]]) -> _Rail:
    def measure(minutes: Minutes) -> Values | None:
        hit, taken = of(minutes.candidate)
        other, rest = of(minutes.champion)
        both = _alike(_two(hit, taken), _two(other, rest))
        return both and (float(both[0][1]), float(both[1][1]), float(both[0][1] - both[1][1]))

    def bets(minutes: Minutes) -> tuple[Sequence[Floats], Sequence[float]]:
        hit, taken = of(minutes.candidate)
        other, rest = of(minutes.champion)
        return [against_draw(hit, taken, hit + other, taken + rest)], [1.0]

    return _Rail(guard, limit, measure, bets)


def _two(hit: Counts, all_of_them: Counts) -> Counts:
    return np.stack([all_of_them - hit, hit], axis=1)


def _alike(candidate: Counts, champion: Counts) -> tuple[Floats, Floats] | None:
    """Return both versions' shares of each bucket [buckets], the champion's weighted by minute as
    the candidate's requests came; None where there is no minute in which both did something.
    """
    mine, others = candidate.sum(axis=1), champion.sum(axis=1)
    both = (mine > 0) & (others > 0)
    if not both.any():
        return None
    weights = mine[both] / mine[both].sum()
    return candidate[both].sum(axis=0) / mine[both].sum(), weights @ (
        champion[both] / others[both, None]
    )


def _ratio(minutes: Minutes, policy: CanaryPolicy) -> Values | None:
    both = _alike(minutes.candidate.latency, minutes.champion.latency)
    if both is None:
        return None
    candidate, champion = (_quantile_ms(shares, P95) for shares in both)
    ratio, limits = candidate / champion, policy.guard_rails
    if candidate - champion <= limits.latency_slack_ms:
        ratio = min(ratio, limits.latency_ratio or math.inf)
    return candidate, champion, ratio


def _p95(minutes: Minutes) -> Values | None:
    latency = minutes.candidate.latency.sum(axis=0)
    if not latency.sum():
        return None
    p95 = _quantile_ms(latency / latency.sum(), P95)
    return p95, None, p95


def _quantile_ms(shares: Floats, at: float) -> float:
    """Return a quantile of latencies by bucket, straight in the logarithm within one."""
    reached = np.cumsum(shares)
    bucket = int(np.searchsorted(reached, at * reached[-1]))
    low = LATENCY_EDGES[max(bucket - 1, 0)]
    high = LATENCY_EDGES[min(bucket, len(LATENCY_EDGES) - 1)]
    before = reached[bucket] - shares[bucket]
    part = (at * reached[-1] - before) / shares[bucket]
    return float(low * (high / low) ** part) / 1000


def _slow(minutes: Minutes) -> tuple[Sequence[Floats], Sequence[float]]:
    """Bet on requests that are among the slowest of their minute's, of both versions.

    One bet is on those in buckets above that of the p95, one on those in it, too: where a version
    takes always the same time, one of them has nothing to tell.
    """
    mine, others = minutes.candidate.latency, minutes.champion.latency
    both = mine + others
    reached = np.cumsum(both, axis=1)
    bucket = (reached < P95 * reached[:, -1:]).sum(axis=1)[:, None]
    number, ratios = np.arange(both.shape[1]), []
    for slow in (number > bucket, number >= bucket):
        hit, marked = (mine * slow).sum(axis=1), (both * slow).sum(axis=1)
        ratios.append(against_draw(hit, mine.sum(axis=1), marked, both.sum(axis=1)))
    return ratios, [0.5, 0.5]


def _slower_than(minutes: Minutes, most_ms: float) -> tuple[Sequence[Floats], Sequence[float]]:
    latency = minutes.candidate.latency
    # Buckets that lie above the limit as a whole: one that it cuts through is within it.
    first = int(np.searchsorted(LATENCY_EDGES, most_ms * 1000, side="left")) + 1
    hit = latency[:, first:].sum(axis=1)
    return [against_share(hit, latency.sum(axis=1), 1 - P95)], [1.0]


def _shift(minutes: Minutes) -> Values | None:
    both = _alike(minutes.candidate.scores, minutes.champion.scores)
    if both is None:
        return None
    candidate, champion = both
    apart = np.abs(np.cumsum(candidate - champion)[_EDGES - 1])
    means = [float(shares @ _middles()) for shares in both]
    return means[0], means[1], float(apart @ _widths())


def _shifted(minutes: Minutes) -> tuple[Sequence[Floats], Sequence[float]]:
    """Bet on scores below each edge, more or fewer; each weighs what it does in the distance."""
    mine = np.cumsum(minutes.candidate.scores, axis=1)
    both = np.cumsum(minutes.candidate.scores + minutes.champion.scores, axis=1)
    ratios = [
        against_draw(mine[:, edge - 1], mine[:, -1], both[:, edge - 1], both[:, -1], OTHER)
        for edge in _EDGES
    ]
    return ratios, (_widths() / _widths().sum()).tolist()


def _widths() -> NDArray[np.float64]:
    """Return how much of the scores' scale, 0 to 1, lies nearest to each of the edges."""
    scores = 1 / (1 + np.exp(-SCORE_EDGES[_EDGES]))
    between = (scores[1:] + scores[:-1]) / 2
    return np.diff(np.concatenate(([0.0], between, [1.0])))


def _middles() -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-(SCORE_EDGES[1:] + SCORE_EDGES[:-1]) / 2))
