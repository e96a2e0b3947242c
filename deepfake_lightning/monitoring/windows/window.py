"""Figures of a period, read off the roll-ups alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from sqlalchemy import func, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.overview import Gap
from deepfake_lightning.monitoring.log.records import Variant
from deepfake_lightning.monitoring.log.rollup_windows import Rollup, merged, read_rollups
from deepfake_lightning.monitoring.log.tables import dirty_minutes, gaps
from deepfake_lightning.monitoring.windows.figures import Figures, figures
from deepfake_lightning.monitoring.windows.periods import MINUTE_US, Period
from deepfake_lightning.monitoring.windows.recent import last_request
from deepfake_lightning.monitoring.windows.scope import COMMAND, UNKNOWN, Scope, version_of

_MOST_GAPS = 1000
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Window:
    """What the log says of a period.

    Attributes:
        period, scope: as asked.
        total: of all requests of the scope.
        by_media: by media type, ``unknown`` for requests that were refused unseen.
        by_version: of each version and variant, whatever ``scope.variant`` says: shadow versions
            stand beside those that answer. Requests that no version answered have ``""``.
        gaps: times of which requests are missing, the latest first, at most 1,000. They are of the
            whole log: which requests were lost nobody knows.
        lost: requests and scores lost in the period, at least.
        stale_minutes: minutes of the period whose roll-ups are still to be made.
        last_us: when the last request of the scope came, at the end of the period or before it;
            None: never. To the minute where it was long ago.
    """

    period: Period
    scope: Scope
    total: Figures
    by_media: dict[str, Figures]
    by_version: dict[tuple[str, Variant], Figures]
    gaps: tuple[Gap, ...]
    lost: int
    stale_minutes: int
    last_us: int | None


def read_window(log: LogDatabase, period: Period, scope: Scope) -> Window:
    """Return the figures of a period.

    Raises:
        StorageError: the log could not be read.
    """
    found = rollups_of(log, period, scope)
    chosen = [one for one in found if scope.variant in (None, one.key["variant"])]
    by_version = _by(found, lambda key: (key["version"], cast(Variant, key["variant"])), period)
    lost = lost_in(log, period)
    return Window(
        period=period,
        scope=scope,
        total=figures(merged(chosen), period.seconds),
        by_media=_by(chosen, lambda key: key["media_type"] or UNKNOWN, period),
        by_version=by_version,
        gaps=lost,
        lost=sum(gap.lost for gap in lost),
        stale_minutes=_stale_minutes(log, period),
        last_us=last_request(log, scope, before_us=period.end_us),
    )


def rollups_of(
    log: LogDatabase, period: Period, scope: Scope, *, step_s: int | None = None
) -> list[Rollup]:
    """Return the roll-ups of a scope's traffic of both variants, by version, variant and media.

    The version of requests that none answered is ``""``.
    """
    where = {
        name: value
        for name, value in (("environment", scope.environment), ("version", scope.version))
        if value is not None
    }
    if scope.media_type is not None:
        where["media_type"] = "" if scope.media_type == UNKNOWN else scope.media_type
    by = ("version", "variant", "media_type", "route")
    found = read_rollups(log, period.start_us, period.end_us, by=by, where=where, step_s=step_s)
    return [
        replace(one, key={**one.key, "version": version_of(one.key)})
        for one in found
        if one.key["route"] != COMMAND
    ]


def lost_in(log: LogDatabase, period: Period) -> tuple[Gap, ...]:
    """Return the gaps that reach into a period, the latest first, at most 1,000.

    Raises:
        StorageError: the log could not be read.
    """
    query = (
        select(gaps.c.from_us, gaps.c.to_us, gaps.c.lost, gaps.c.reason)
        .where(gaps.c.from_us < period.end_us, gaps.c.to_us >= period.start_us)
        .order_by(gaps.c.id.desc())
        .limit(_MOST_GAPS)
    )
    with log.reading() as connection:
        return tuple(Gap(**row._mapping) for row in connection.execute(query).all())


def _by(
    found: Sequence[Rollup], key_of: Callable[[dict[str, str]], Key], period: Period
) -> dict[Key, Figures]:
    parts: dict[Key, list[Rollup]] = defaultdict(list)
    for one in found:
        parts[key_of(one.key)].append(one)
    order: Any = sorted(parts, key=str)
    return {key: figures(merged(parts[key]), period.seconds) for key in order}


def _stale_minutes(log: LogDatabase, period: Period) -> int:
    start = dirty_minutes.c.start_us
    within = (start > period.start_us - MINUTE_US) & (start < period.end_us)
    with log.reading() as connection:
        return connection.scalar(select(func.count(start.distinct())).where(within)) or 0
