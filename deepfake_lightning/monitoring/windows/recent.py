"""The latest requests, one by one: from the end of the index of times, never a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.records import Variant
from deepfake_lightning.monitoring.log.rollups import HOUR_S, HOUR_US, MINUTE_S
from deepfake_lightning.monitoring.log.tables import item_scores, requests, rollups
from deepfake_lightning.monitoring.windows.scope import COMMAND, UNKNOWN, Scope

LOOKED_AT = 5000
"""So many of the latest requests are looked through for those of a scope."""
_END_US = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class RecentPrediction:
    """A request, in a line.

    Attributes:
        id: of the request.
        ts_us: when it came, microseconds since 1970, UTC.
        environment: that was asked, None where a version was served.
        version, variant: that answered, or scored it in the shadow.
        media_type, verdict, score: of its first item; None where there is none.
        latency_us: from the request to its answer.
        http_status: of the answer.
        error: a short code where there is no result.
    """

    id: str
    ts_us: int
    environment: str | None
    version: str
    variant: Variant
    media_type: str | None
    verdict: str | None
    score: float | None
    latency_us: int
    http_status: int
    error: str | None


def recent_predictions(
    log: LogDatabase, scope: Scope, *, number: int = 50, before_us: int | None = None
) -> list[RecentPrediction]:
    """Return the latest requests of a scope, the latest first.

    They are looked for among the latest :data:`LOOKED_AT` of the log, so that the answer takes no
    longer where there are few of them. ``scope.variant`` None is ``serving``.

    Args:
        log: of which.
        scope: whose.
        number: how many, at most.
        before_us: only such as came before, to go on from the last one of a page.

    Raises:
        StorageError: the log could not be read.
    """
    variant = scope.variant or "serving"
    latest = _latest(_END_US if before_us is None else before_us)
    first_item = and_(
        item_scores.c.request_id == latest.c.id,
        item_scores.c.item == 0,
        item_scores.c.variant == variant,
    )
    version = latest.c.version if variant == "serving" else item_scores.c.version
    query = (
        select(
            *(latest.c[name] for name in ("id", "ts_us", "environment")),
            version.label("version"),
            *(latest.c[name] for name in ("media_type", "latency_us", "http_status", "error")),
            item_scores.c.verdict,
            item_scores.c.score,
        )
        .select_from(latest.join(item_scores, first_item, isouter=variant == "serving"))
        .where(*_within(scope, latest, version))
        .order_by(latest.c.ts_us.desc(), latest.c.id.desc())
        .limit(number)
    )
    with log.reading() as connection:
        rows: list[Any] = list(connection.execute(query).all())
    return [RecentPrediction(variant=variant, **row._mapping) for row in rows]


def _latest(before_us: int) -> Subquery:
    """The latest requests of the log, before the scope has a say."""
    return (
        select(requests)
        .where(requests.c.ts_us < before_us)
        .order_by(requests.c.ts_us.desc())
        .limit(LOOKED_AT)
        .subquery("latest")
    )


def _within(
    scope: Scope, latest: Subquery, version: ColumnElement[Any]
) -> list[ColumnElement[bool]]:
    wanted = [latest.c.route != COMMAND]
    if scope.environment is not None:
        wanted.append(latest.c.environment == scope.environment)
    if scope.version is not None:
        wanted.append(version == scope.version)
    if scope.media_type is not None:
        known = None if scope.media_type == UNKNOWN else scope.media_type
        wanted.append(latest.c.media_type.is_(None) if known is None
                      else latest.c.media_type == known)  # fmt: skip
    return wanted


def last_request(log: LogDatabase, scope: Scope, *, before_us: int) -> int | None:
    """Return when the last request of a scope came before a time, microseconds; None: never.

    Where it is not among the latest :data:`LOOKED_AT`, the roll-ups tell its minute.

    Raises:
        StorageError: the log could not be read.
    """
    found = recent_predictions(log, scope, number=1, before_us=before_us)
    if found:
        return found[0].ts_us
    with log.reading() as connection:
        hour = _last_span(connection, scope, HOUR_S, before_us)
        if hour is None:
            return None
        end = min(hour + HOUR_US, before_us)
        minute = _last_span(connection, scope, MINUTE_S, end)
        return hour if minute is None else max(hour, minute)


def _last_span(connection: Connection, scope: Scope, span_s: int, before_us: int) -> int | None:
    """Return the start of the last roll-up of a scope: from the end of the primary key."""
    counted = rollups.c["items" if scope.variant == "shadow" else "requests"]
    query = select(rollups.c.start_us).where(
        rollups.c.span_s == span_s,
        rollups.c.start_us < before_us,
        rollups.c.route != COMMAND,
        counted > 0,
    )
    for name in ("environment", "version", "variant", "media_type"):
        value = getattr(scope, name)
        if value is not None:
            query = query.where(rollups.c[name] == ("" if value == UNKNOWN else value))
    return connection.scalar(query.order_by(rollups.c.start_us.desc()).limit(1))
