"""What is in a log, by day and version; read off the roll-ups."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollup_windows import Rollup, read_rollups
from deepfake_lightning.monitoring.log.rollups import HOUR_S
from deepfake_lightning.monitoring.log.tables import COUNTS, dirty_minutes, gaps, labels, requests

DAY_US = 24 * HOUR_S * 1_000_000


@dataclass(frozen=True)
class Gap:
    """A time of which requests are missing.

    Attributes:
        from_us, to_us: of the first and the last one lost, microseconds since 1970, UTC.
        lost: how many requests and scores of shadow versions.
        reason: why.
    """

    from_us: int
    to_us: int
    lost: int
    reason: str


@dataclass(frozen=True)
class Overview:
    """What is in a log.

    Attributes:
        requests: rows there are.
        first_us, last_us: when the first and the last of them came; None without any.
        labels: how many labels there are, by source.
        labelled: how many requests have one or more that says real or fake.
        gaps: the latest ones, at most 20, the latest first.
        lost: how many requests all gaps are, together.
        stale_minutes: minutes whose roll-ups are still to be made.
        bytes: on disk.
        days: totals by version and variant of each day (UTC), the latest last.
    """

    requests: int
    first_us: int | None
    last_us: int | None
    labels: dict[str, int]
    labelled: int
    gaps: tuple[Gap, ...]
    lost: int
    stale_minutes: int
    bytes: int
    days: tuple[Rollup, ...]


def overview(log: LogDatabase, start_us: int, end_us: int) -> Overview:
    """Return what is in a log; ``days`` are those of a window.

    Raises:
        StorageError: the log could not be read.
    """
    latest = select(gaps.c.from_us, gaps.c.to_us, gaps.c.lost, gaps.c.reason)
    with log.reading() as connection:
        # One by one: asked together, SQLite reads all of the index.
        number = connection.scalar(select(func.count()).select_from(requests)) or 0
        first = connection.scalar(select(func.min(requests.c.ts_us)))
        last = connection.scalar(select(func.max(requests.c.ts_us)))
        by_source = connection.execute(
            select(labels.c.source, func.count()).group_by(labels.c.source)
        ).all()
        known = select(func.count(labels.c.request_id.distinct())).where(labels.c.label.in_((0, 1)))
        labelled = connection.scalar(known) or 0
        found = connection.execute(latest.order_by(gaps.c.id.desc()).limit(20)).all()
        lost = connection.scalar(select(func.coalesce(func.sum(gaps.c.lost), 0))) or 0
        stale = connection.scalar(select(func.count(dirty_minutes.c.start_us.distinct()))) or 0
    return Overview(
        requests=number,
        first_us=first,
        last_us=last,
        labels={source: count for source, count in by_source},
        labelled=labelled,
        gaps=tuple(Gap(**row._mapping) for row in found),
        lost=int(lost),
        stale_minutes=stale,
        bytes=log.bytes_on_disk(),
        days=tuple(read_rollups(log, start_us, end_us, step_s=24 * HOUR_S)),
    )


def to_record(found: Overview) -> dict[str, Any]:
    """Return it as plain JSON types."""
    record = {name: value for name, value in asdict(found).items() if name != "days"}
    record["days"] = [
        {"start_us": one.start_us, **one.key,
         **{name: one.totals.count(name) for name in COUNTS},
         "latency_p50_us": one.totals.latency_quantile(0.5),
         "latency_p95_us": one.totals.latency_quantile(0.95),
         "latency_p99_us": one.totals.latency_quantile(0.99)}
        for one in found.days
    ]  # fmt: skip
    return {"schema": 1, **record}
