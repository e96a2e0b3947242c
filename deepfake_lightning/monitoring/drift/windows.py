"""Consecutive windows of the requests that a version answered, found in the roll-ups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from deepfake_lightning.monitoring.drift.policy import DriftPolicy
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollups import HOUR_S, HOUR_US, MINUTE_S
from deepfake_lightning.monitoring.log.tables import dirty_minutes, drift_checks, rollups
from deepfake_lightning.monitoring.log.writing import MINUTE_US, minute_of

DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True)
class DriftWindow:
    """A time, and what of it is known from counts alone.

    Attributes:
        environment, version: whose requests.
        start_us, end_us: whole minutes, microseconds since 1970, UTC.
        items: that the version scored.
        answered: requests that the version answered.
        requests: in the log, of all environments and versions.
    """

    environment: str
    version: str
    start_us: int
    end_us: int
    items: int
    answered: int
    requests: int


@dataclass
class _Minute:
    items: int = 0
    answered: int = 0


class Minutes:
    """Counts of an environment by minute, from the roll-ups.

    Args:
        log: of which.
        environment: whose.
        start_us: from when.
        end_us: up to when, without it.

    Raises:
        StorageError: the log could not be read.
    """

    def __init__(self, log: LogDatabase, environment: str, start_us: int, end_us: int) -> None:
        self.environment = environment
        self.by_version: dict[str, dict[int, _Minute]] = defaultdict(lambda: defaultdict(_Minute))
        self._all: dict[int, int] = defaultdict(int)
        span = (rollups.c.start_us >= start_us) & (rollups.c.start_us < end_us)
        with log.reading() as connection:
            for row in _counts(connection, (rollups.c.span_s == MINUTE_S) & span):
                requests = int(row.requests)  # sums of PostgreSQL are decimal numbers
                self._all[row.start_us] += requests
                if row.environment == environment and row.variant == "serving":
                    minute = self.by_version[row.version][row.start_us]
                    minute.items += int(row.items)
                    minute.answered += requests

    def window(self, version: str, start_us: int, end_us: int) -> DriftWindow:
        """Return a window's counts; ``start_us`` and ``end_us`` are whole minutes."""
        found = self.by_version.get(version, {})
        of_version = [one for at, one in found.items() if start_us <= at < end_us]
        return DriftWindow(
            self.environment, version, start_us, end_us,
            items=sum(one.items for one in of_version),
            answered=sum(one.answered for one in of_version),
            requests=sum(count for at, count in self._all.items() if start_us <= at < end_us),
        )  # fmt: skip

    def windows(
        self, version: str, after_us: int, until_us: int, policy: DriftPolicy, most: int
    ) -> list[DriftWindow]:
        """Return the windows that follow each other from a time on, at most so many.

        The arguments are those of :meth:`next_window`.
        """
        found: list[DriftWindow] = []
        while len(found) < most:
            window = self.next_window(version, after_us, until_us, policy)
            if window is None:
                break
            found.append(window)
            after_us = window.end_us
        return found

    def next_window(
        self, version: str, after_us: int, until_us: int, policy: DriftPolicy
    ) -> DriftWindow | None:
        """Return the first window that begins at a time or later and has ended; None where none.

        It begins with the first minute that has an item, and ends with the first one in which it
        has enough of them and has lasted long enough, or after ``max_days``.

        Args:
            version: whose.
            after_us: when the window before ended.
            until_us: up to when counts are final.
            policy: how much is enough.
        """
        counts = self.by_version.get(version, {})
        busy = sorted(at for at, one in counts.items() if one.items and after_us <= at < until_us)
        if not busy:
            return None
        start, items = busy[0], 0
        longest = start + minute_of(round(policy.max_days * DAY_US))
        shortest = start - (-round(policy.minutes * MINUTE_US) // MINUTE_US) * MINUTE_US
        for at in busy:
            if at >= longest:
                break
            items += counts[at].items
            if items >= policy.items:
                end = max(at + MINUTE_US, shortest)
                return self.window(version, start, end) if end <= until_us else None
        return self.window(version, start, longest) if longest <= until_us else None


def active_versions(
    log: LogDatabase, environment: str, since_us: int
) -> dict[str, tuple[int, int]]:
    """Return version -> the time from its first hour to its last one with an item, since then.

    Raises:
        StorageError: the log could not be read.
    """
    hours: dict[str, list[int]] = defaultdict(list)
    chosen = (rollups.c.span_s == HOUR_S) & (rollups.c.start_us >= since_us - since_us % HOUR_US)
    with log.reading() as connection:
        for row in _counts(connection, chosen):
            if row.environment == environment and row.variant == "serving" and row.items:
                hours[row.version].append(row.start_us)
    return {name: (min(starts), max(starts) + HOUR_US) for name, starts in sorted(hours.items())}


def counted(
    log: LogDatabase, environment: str, version: str, start_us: int, end_us: int
) -> DriftWindow:
    """Return a window's counts.

    Raises:
        StorageError: the log could not be read.
    """
    start_us, end_us = minute_of(start_us), -minute_of(-end_us)
    return Minutes(log, environment, start_us, end_us).window(version, start_us, end_us)


def final_until(log: LogDatabase, start_us: int, now_us: int, policy: DriftPolicy) -> int:
    """Return up to when the counts from a time on are final: roll-ups are made, rows written.

    Raises:
        StorageError: the log could not be read.
    """
    first = select(func.min(dirty_minutes.c.start_us)).where(dirty_minutes.c.start_us >= start_us)
    with log.reading() as connection:
        dirty: int | None = connection.scalar(first)
    last = minute_of(now_us - round(policy.settle_seconds * 1_000_000))
    return last if dirty is None else min(last, dirty)


def last_ends(log: LogDatabase, environment: str) -> dict[str, int]:
    """Return version -> when the last window ended that was looked at.

    Raises:
        StorageError: the log could not be read.
    """
    query = select(drift_checks.c.version, func.max(drift_checks.c.end_us))
    query = query.where(drift_checks.c.environment == environment)
    with log.reading() as connection:
        found = connection.execute(query.group_by(drift_checks.c.version)).all()
    return {row[0]: row[1] for row in found}


def _counts(connection: Connection, chosen: ColumnElement[bool]) -> Sequence[Any]:
    keys = (rollups.c.start_us, rollups.c.environment, rollups.c.version, rollups.c.variant)
    scored = func.sum(rollups.c["items"] - rollups.c.no_face - rollups.c.unreadable)
    requests = func.sum(rollups.c.requests)
    query = select(*keys, requests.label("requests"), scored.label("items"))
    return connection.execute(query.where(chosen).group_by(*keys)).all()
