"""What versions said of requests of which somebody said later what they really were."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Subquery, and_, func, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.records import LabelSource, Variant
from deepfake_lightning.monitoring.log.tables import item_scores, labels, requests

_LAST_US = (1 << 63) - 1
AUDITED: tuple[LabelSource, ...] = ("review",)
"""Sources that say nothing of which requests people complain about: those that were picked."""


@dataclass(frozen=True, slots=True)
class LabelledScore:
    """What one version said of a labelled request.

    Attributes:
        request_id: of the request; several versions may have scored it.
        ts_us: when it came, microseconds since 1970, UTC.
        label: 0 real, 1 fake.
        label_us: when that was said.
        source: ``feedback``, ``review`` or ``import``.
        version: that scored it.
        variant: ``serving`` for the version that answered, else ``shadow``.
        verdict: None for a score without calibration.
        score, logit: None without a face.
        status: ``ok``, ``no_face`` or ``unreadable``.
    """

    request_id: str
    ts_us: int
    label: int
    label_us: int
    source: LabelSource
    version: str
    variant: Variant
    verdict: str | None
    score: float | None
    logit: float | None
    status: str


def labelled_scores(
    log: LogDatabase,
    *,
    environment: str | None = None,
    experiment: str | None = None,
    start_us: int = 0,
    end_us: int = _LAST_US,
    sources: Collection[LabelSource] = AUDITED,
) -> list[LabelledScore]:
    """Return what versions said of labelled requests, in the order in which the labels came.

    Of several labels of a request the latest counts, of those from the sources that are asked for.

    Args:
        log: of which.
        environment: only requests to this one.
        experiment: only requests that this one dealt to their versions.
        start_us: only requests that came from then on, microseconds since 1970, UTC.
        end_us: up to when, without it.
        sources: whose labels count.

    Raises:
        StorageError: the log could not be read.
    """
    latest = _latest(sources)
    wanted = [requests.c.ts_us >= start_us, requests.c.ts_us < end_us]
    if environment is not None:
        wanted.append(requests.c.environment == environment)
    if experiment is not None:
        wanted.append(requests.c.experiment == experiment)
    columns = ("version", "variant", "verdict", "score", "logit", "status")
    query = (
        select(
            requests.c.id.label("request_id"),
            requests.c.ts_us,
            latest.c.label,
            latest.c.label_us,
            latest.c.source,
            *(item_scores.c[name] for name in columns),
        )
        .join_from(latest, requests, latest.c.request_id == requests.c.id)
        .join(item_scores, item_scores.c.request_id == requests.c.id)
        .where(latest.c.place == 1, item_scores.c.item == 0, *wanted)
        .order_by(latest.c.label_us, latest.c.label_id, item_scores.c.id)
    )
    with log.reading() as connection:
        rows: list[Any] = list(connection.execute(query).all())
    return [LabelledScore(*row) for row in rows]


def _latest(sources: Collection[LabelSource]) -> Subquery:
    """Labels of these sources, of which the one of each request with ``place`` 1 counts."""
    of_request = func.row_number().over(
        partition_by=labels.c.request_id, order_by=(labels.c.ts_us.desc(), labels.c.id.desc())
    )
    return (
        select(
            labels.c.request_id,
            labels.c.id.label("label_id"),
            labels.c.label,
            labels.c.ts_us.label("label_us"),
            labels.c.source,
            of_request.label("place"),
        )
        .where(and_(labels.c.source.in_(sources), labels.c.label.in_((0, 1))))
        .subquery()
    )
