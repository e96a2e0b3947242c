"""What both versions did, minute by minute, as the roll-ups of the prediction log have it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollup_windows import read_rollups
from deepfake_lightning.monitoring.log.rollups import MINUTE_S, make_rollups
from deepfake_lightning.monitoring.log.tables import dirty_minutes
from deepfake_lightning.monitoring.log.totals import LATENCY_EDGES, SCORE_EDGES, Totals
from deepfake_lightning.monitoring.log.writing import MINUTE_US

SETTLED_US = 5_000_000  # after a minute's end all of its rows are in the log
_WAIT = 10.0  # seconds, for the server's own roll-ups, which are made every few seconds

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Arm:
    """What one version did.

    Attributes:
        requests, errors, refusals: int64 [minutes]: all; with a 5xx but for 503; with a 503.
        items, unseen: int64 [minutes]: all; without a face that was scored, unreadable ones, too.
        latency: int64 [minutes, 210], requests by ``LATENCY_EDGES``.
        scores: int64 [minutes, 40], items by ``SCORE_EDGES``.
    """

    requests: Counts
    errors: Counts
    refusals: Counts
    items: Counts
    unseen: Counts
    latency: Counts
    scores: Counts

    def part(self, chosen: slice | NDArray[np.bool_]) -> Self:
        """Return some of the minutes."""
        return type(self)(*(values[chosen] for values in vars(self).values()))


@dataclass(frozen=True)
class Minutes:
    """What both versions did.

    Attributes:
        starts_us: int64 [minutes], when each began, microseconds since 1970, UTC; ascending. Those
            in which there was no request are left out.
        champion, candidate: of these minutes.
        last_us: start of the latest minute with a request to either, also one that is not over;
            None without any.
        answered: requests that the candidate answered in all, those of such minutes included.
    """

    starts_us: Counts
    champion: Arm
    candidate: Arm
    last_us: int | None = None
    answered: int = 0

    def part(self, chosen: slice | NDArray[np.bool_]) -> Minutes:
        """Return some of the minutes."""
        return Minutes(
            self.starts_us[chosen], self.champion.part(chosen), self.candidate.part(chosen),
            self.last_us, self.answered,
        )  # fmt: skip


def no_minutes() -> Minutes:
    """Return none."""
    return Minutes(np.zeros(0, np.int64), _arm([]), _arm([]))


def read_minutes(
    log: LogDatabase,
    environment: str,
    champion: str,
    candidate: str,
    *,
    from_us: int,
    now_us: int,
    without: Collection[int] = (),
) -> Minutes:
    """Return the minutes that are over and complete.

    What has changed since the server last added it up is added up first.

    Args:
        log: the prediction log.
        environment: whose requests.
        champion: a version.
        candidate: the other one.
        from_us: when the canary began; its own minute is left out.
        now_us: the time.
        without: times whose minutes are left out, microseconds: shares changed in them.

    Raises:
        StorageError: the log cannot be read.
    """
    make_rollups(log, wait_seconds=_WAIT)
    found = read_rollups(
        log, from_us, now_us, by=("version",), step_s=MINUTE_S,
        where={"environment": environment, "variant": "serving"},
    )  # fmt: skip
    versions: dict[str, dict[int, Totals]] = {champion: {}, candidate: {}}
    for one in found:
        if one.key["version"] in versions and one.totals.count("requests"):
            versions[one.key["version"]][one.start_us] = one.totals
    seen = sorted({*versions[champion], *versions[candidate]})
    changed = {time - time % MINUTE_US for time in (from_us, *without)}
    end = _complete_until(log, from_us, now_us)
    starts = [one for one in seen if one not in changed and one + MINUTE_US <= end]
    return Minutes(
        np.array(starts, np.int64),
        _arm([versions[champion].get(start) for start in starts]),
        _arm([versions[candidate].get(start) for start in starts]),
        last_us=seen[-1] if seen else None,
        answered=sum(one.count("requests") for one in versions[candidate].values()),
    )


def _complete_until(log: LogDatabase, from_us: int, now_us: int) -> int:
    """Return up to when the roll-ups have all there is; another process may be making them."""
    settled = now_us - SETTLED_US
    with log.reading() as connection:
        dirty = connection.scalar(
            select(func.min(dirty_minutes.c.start_us)).where(
                dirty_minutes.c.start_us >= from_us - from_us % MINUTE_US
            )
        )
    return settled if dirty is None else min(settled, dirty)


def _arm(totals: list[Totals | None]) -> Arm:
    def counted(*names: str) -> Counts:
        sums = [sum(one.count(name) for name in names) if one else 0 for one in totals]
        return np.array(sums, np.int64)

    def stacked(name: str, width: int) -> Counts:
        none = np.zeros(width, np.int64)
        rows = [getattr(one, name) if one else none for one in totals]
        return np.array(rows, np.int64).reshape(len(rows), width)

    return Arm(
        requests=counted("requests"),
        errors=counted("status_5xx"),
        refusals=counted("status_503"),
        items=counted("items"),
        unseen=counted("no_face", "unreadable"),
        latency=stacked("latency", len(LATENCY_EDGES) + 1),
        scores=stacked("scores", len(SCORE_EDGES) - 1),
    )
