"""What the log holds of requests that were drawn for review, read by the queue's index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_

from deepfake_lightning.monitoring.log.records import Label, Variant
from deepfake_lightning.monitoring.log.rollups import HOUR_S, HOUR_US
from deepfake_lightning.monitoring.log.tables import (
    item_scores,
    labels,
    review_queue,
    rollups,
)
from deepfake_lightning.monitoring.review import settled
from deepfake_lightning.monitoring.windows.periods import Period
from deepfake_lightning.monitoring.windows.scope import UNKNOWN, Scope

_OF_LABEL = tuple(field.name for field in fields(Label))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Requests of one stratum that were drawn, of one version.

    Attributes:
        version, variant, stratum: whose, and which.
        requests: how many.
        weight: so many requests of the traffic they stand for, the sum of 1 / probability.
    """

    version: str
    variant: Variant
    stratum: str
    requests: int
    weight: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What reviewers say of a request.

    Attributes:
        stratum, probability: that it was drawn from, and with.
        label: 0 real, 1 fake, -1 cannot tell, None where reviewers disagree.
        delay_s: from the request to the opinion since which that is so, seconds.
    """

    stratum: str
    probability: float
    label: int | None
    delay_s: float


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a version said of a request that reviewers have judged."""

    about: Judged
    version: str
    variant: Variant
    verdict: str | None
    score: float | None


def drawn_of(connection: Connection, period: Period, scope: Scope) -> list[Drawn]:
    """Return what was drawn in a period, by version, variant and stratum."""
    found: list[Drawn] = []
    if scope.variant != "shadow":
        found += _drawn_answers(connection, period, scope)
    if scope.variant != "serving" and _has_shadows(connection, period):
        found += _drawn_shadows(connection, period, scope)
    return found


def _drawn_answers(connection: Connection, period: Period, scope: Scope) -> Iterator[Drawn]:
    """Count stratum by stratum, each a stretch of one index: to group them all would sort them."""
    for version, stratum in _strata(connection, scope):
        query = select(func.count(), func.sum(1.0 / review_queue.c.probability)).where(
            review_queue.c.version == version,
            review_queue.c.stratum == stratum,
            *_within(period, scope),
        )
        number, weight = connection.execute(query).one()
        if number:
            yield Drawn(version, "serving", stratum, number, float(weight))


def _strata(connection: Connection, scope: Scope) -> Iterator[tuple[str, str]]:
    """Give each version and stratum that something was ever drawn of, by jumps in the index."""
    key = review_queue.c.version, review_queue.c.stratum
    query = select(*key).order_by(*key).limit(1)
    if scope.version is not None:
        query = query.where(review_queue.c.version == scope.version)
    row = connection.execute(query).first()
    while row is not None:
        yield row[0], row[1]
        row = connection.execute(query.where(tuple_(*key) > tuple_(row[0], row[1]))).first()


def _drawn_shadows(connection: Connection, period: Period, scope: Scope) -> Iterator[Drawn]:
    version, stratum = item_scores.c.version, review_queue.c.stratum
    query = (
        select(version, stratum, func.count(), func.sum(1.0 / review_queue.c.probability))
        .join(review_queue, review_queue.c.request_id == item_scores.c.request_id)
        .where(item_scores.c.item == 0, item_scores.c.variant == "shadow", *_within(period, scope))
        .group_by(version, stratum)
    )
    if scope.version is not None:
        query = query.where(version == scope.version)
    for row in connection.execute(query).all():
        yield Drawn(row[0], "shadow", *row[1:])


def _has_shadows(connection: Connection, period: Period) -> bool:
    """Whether any version scored in the shadow then: to count what it scored takes a second."""
    query = select(rollups.c.start_us).where(
        rollups.c.span_s == HOUR_S,
        rollups.c.start_us > period.start_us - HOUR_US,
        rollups.c.start_us < period.end_us,
        rollups.c.variant == "shadow",
    )
    return connection.scalar(query.limit(1)) is not None


def reviewed_of(connection: Connection, period: Period, scope: Scope) -> list[Reviewed]:
    """Return what versions said of the requests of a period that reviewers have judged."""
    judged = _judged(connection, period, scope)
    columns = [item_scores.c[name] for name in ("version", "variant", "verdict", "score")]
    query = select(item_scores.c.request_id, *columns).where(
        item_scores.c.item == 0, item_scores.c.request_id.in_(_labelled(period, scope))
    )
    if scope.variant is not None:
        query = query.where(item_scores.c.variant == scope.variant)
    if scope.version is not None:
        query = query.where(item_scores.c.version == scope.version)
    return [
        Reviewed(judged[row.request_id], *row[1:])
        for row in connection.execute(query).all()
        if row.request_id in judged
    ]


def _labelled(period: Period, scope: Scope) -> Select[Any]:
    return (
        select(labels.c.request_id)
        .join(review_queue, review_queue.c.request_id == labels.c.request_id)
        .where(labels.c.source == "review", *_within(period, scope, review_queue.c.ts_us + 0))
    )


def _judged(connection: Connection, period: Period, scope: Scope) -> dict[str, Judged]:
    query = (
        select(
            labels,
            review_queue.c.ts_us.label("asked_us"),
            review_queue.c.probability,
            review_queue.c.stratum,
        )
        .join(review_queue, review_queue.c.request_id == labels.c.request_id)
        .where(labels.c.source == "review", *_within(period, scope, review_queue.c.ts_us + 0))
        .order_by(labels.c.request_id, labels.c.ts_us, labels.c.id)
    )
    of: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query).all():
        of[row.request_id].append(row)
    return {request_id: _judgement(rows) for request_id, rows in of.items()}


def _judgement(rows: list[Any]) -> Judged:
    first = rows[0]
    if len(rows) == 1:  # most of them
        delay = (first.ts_us - first.asked_us) / 1e6
        return Judged(first.stratum, first.probability, first.label, delay)
    said = [Label(**{name: getattr(row, name) for name in _OF_LABEL}) for row in rows]
    label = settled(said)
    since = len(said)  # opinions from which on it has been so: later ones may agree
    while since > 1 and settled(said[: since - 1]) == label:
        since -= 1
    delay = (said[since - 1].ts_us - first.asked_us) / 1e6
    return Judged(first.stratum, first.probability, label, delay)


def _within(
    period: Period, scope: Scope, asked: ColumnElement[int] = review_queue.c.ts_us
) -> list[ColumnElement[bool]]:
    """What a request of the queue has to be.

    Where ``asked`` is no bare column, databases begin with the labels: there are fewer of them.
    """
    wanted = [asked >= period.start_us, asked < period.end_us]
    if scope.environment is not None:
        wanted.append(review_queue.c.environment == scope.environment)
    if scope.media_type is not None:
        known = None if scope.media_type == UNKNOWN else scope.media_type
        wanted.append(review_queue.c.media_type.is_not_distinct_from(known))
    return wanted
