"""Labels from a file into the log: all of them or none, and none twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from deepfake_lightning.monitoring.log.prediction_log import PredictionLog
from deepfake_lightning.monitoring.log.records import Label
from deepfake_lightning.monitoring.log.tables import labels, requests, review_queue
from deepfake_lightning.monitoring.log.writing import mark_dirty
from deepfake_lightning.monitoring.review.labels_file import LabelRow
from deepfake_lightning.monitoring.review.opinions import reviewer_of

ImportSource = Literal["import", "review"]
_AT_A_TIME = 500  # SQLite allows a statement 999 parameters, or more
_AHEAD_US = 300_000_000  # that clocks differ by, at most


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes:
        added: labels that the log has now.
        known: labels that it had already.
        unknown: ids of requests that it does not hold.
        undrawn: ids of requests that were not drawn, where reviews are imported.
        faults: places of rows that cannot be so, and why.
        written: whether anything was: with one of the last three nothing is, unless unknown
            requests may be passed over.
    """

    added: int
    known: int
    unknown: tuple[str, ...]
    undrawn: tuple[str, ...]
    faults: tuple[tuple[int, str], ...]
    written: bool


def import_labels(
    log: PredictionLog,
    rows: Sequence[LabelRow],
    *,
    source: ImportSource,
    now_us: int,
    pass_over: bool = False,
) -> Imported:
    """Keep the labels of a file, in one transaction.

    A row with a time is known already where the log has that label of that time; one without where
    it is what its author said last. So the same file adds nothing the second time.

    Args:
        log: the prediction log.
        rows: of the file.
        source: ``review`` for opinions on requests that were drawn, ``import`` for what is known of
            others.
        now_us: when labels without a time were said, microseconds since 1970, UTC.
        pass_over: leave out requests that the log does not hold, as those that were erased.

    Raises:
        StorageError: the log cannot be read or written.
    """
    ids = sorted({row.request_id for row in rows})
    with log.writing() as connection:
        came = _times(connection, ids)
        unknown = tuple(name for name in ids if name not in came)
        queue = _among(connection, review_queue.c.request_id, ids) if source == "review" else came
        undrawn = tuple(name for name in ids if name in came and name not in queue)
        kept = [row for row in rows if row.request_id in came]
        faults = tuple(_faults(kept, came, now_us))
        if undrawn or faults or (unknown and not pass_over):
            return Imported(0, 0, unknown, undrawn, faults, written=False)
        said = _said(connection, ids, source)
        new = [row for row in kept if not _is_known(row, said.get(_key(row), ()))]
        if new:
            connection.execute(insert(labels), [_values(row, source, now_us) for row in new])
            mark_dirty(connection, {came[row.request_id] for row in new})
    return Imported(len(new), len(kept) - len(new), unknown, (), (), written=True)


def _faults(
    rows: Sequence[LabelRow], came: dict[str, int], now_us: int
) -> Iterator[tuple[int, str]]:
    places: dict[Any, int] = {}
    for row in rows:
        if row.time_us is not None and row.time_us < came[row.request_id]:
            yield row.place, "said before the request came"
        if row.time_us is not None and row.time_us > now_us + _AHEAD_US:
            yield row.place, "said in a time to come"
        first = places.setdefault((*_key(row), row.time_us), row.place)
        if first != row.place:
            yield row.place, f"{row.by} has said something of this request in line {first} already"


def _key(row: LabelRow) -> tuple[str, str]:
    return row.request_id, reviewer_of(row.by)


def _is_known(row: LabelRow, said: Sequence[Label]) -> bool:
    same = [one for one in said if one.label == row.label]
    if row.time_us is not None:
        return any(one.ts_us == row.time_us for one in same)
    return bool(said) and said[-1].label == row.label and said[-1].note == row.note


def _values(row: LabelRow, source: ImportSource, now_us: int) -> dict[str, Any]:
    time_us = now_us if row.time_us is None else row.time_us
    label: Any = row.label
    said = Label(row.request_id, time_us, label, row.by, source=source, note=row.note)
    return {name: value for name, value in asdict(said).items() if name != "id"}


def _times(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return when requests came, and keep others from erasing them meanwhile."""
    found: dict[str, int] = {}
    for some in _parts(ids):
        query = select(requests.c.id, requests.c.ts_us).where(requests.c.id.in_(some))
        rows = connection.execute(query.order_by(requests.c.id).with_for_update())
        found.update({row.id: row.ts_us for row in rows})
    return found


def _among(connection: Connection, column: Any, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in _parts(ids):
        found.update(connection.scalars(select(column).where(column.in_(some))))
    return found


def _said(
    connection: Connection, ids: Sequence[str], source: ImportSource
) -> dict[tuple[str, str], list[Label]]:
    found: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for some in _parts(ids):
        query = select(labels).where(labels.c.request_id.in_(some), labels.c.source == source)
        for row in connection.execute(query.order_by(labels.c.ts_us, labels.c.id)):
            found[row.request_id, reviewer_of(row.by)].append(Label(**row._mapping))
    return found


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _AT_A_TIME):
        yield ids[start : start + _AT_A_TIME]
