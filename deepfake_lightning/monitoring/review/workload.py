"""How many reviews a day a policy means, of the traffic that there was."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollup_windows import read_rollups
from deepfake_lightning.monitoring.log.totals import SCORE_EDGES
from deepfake_lightning.monitoring.review.policy import ReviewPolicy
from deepfake_lightning.monitoring.review.sampling import Chances, chances

_DAY_US = 86_400_000_000
DAYS = 7


@dataclass(frozen=True)
class Workload:
    """What would be drawn.

    Attributes:
        days: of traffic that this is told from, at most :data:`DAYS`.
        requests: answered on a day, on average.
        drawn: of these, on average; without experiments, in which the rate is another one.
        opinions: that people would give: a drawn request may be looked at by two.
    """

    days: float
    requests: float
    drawn: float
    opinions: float


def workload(
    log: LogDatabase, policy: ReviewPolicy, now_us: int, *, environment: str | None = None
) -> Workload | None:
    """Return what a policy means for the last days' traffic; None where there was none.

    It is read off the roll-ups, whose scores lie in buckets: a stratum's edge that lies within one
    counts as its middle.

    Args:
        log: of which.
        policy: how requests are drawn.
        now_us: the time, microseconds since 1970, UTC.
        environment: only requests to this one.

    Raises:
        StorageError: the log could not be read.
    """
    start_us = now_us - DAYS * _DAY_US
    where = {"variant": "serving"} | ({} if environment is None else {"environment": environment})
    found = [
        one
        for one in read_rollups(log, start_us, now_us, by=("route",), step_s=3600, where=where)
        if one.key["route"] != "predict"
    ]
    if not found:
        return None
    first = max(start_us, min(one.start_us for one in found))
    days = max((now_us - first) / _DAY_US, 1 / 24)
    known, items, drawn = chances(policy), 0.0, 0.0
    for one in found:
        no_face = one.totals.count("no_face")
        drawn += no_face * _probability(known, "no_face", None)
        items += no_face
        for number, low, high in zip(
            one.totals.scores, SCORE_EDGES[:-1], SCORE_EDGES[1:], strict=True
        ):
            middle = 1 / (1 + math.exp(-(low + high) / 2))
            drawn += int(number) * _probability(known, "ok", middle)
            items += int(number)
    opinions = drawn * (1 + policy.second_opinion)
    return Workload(days, items / days, drawn / days, opinions / days)


def _probability(known: Chances, status: str, score: float | None) -> float:
    found = known.of(status, score, calibrated=True, dealt=False)
    return found[0] if found else 0.0
