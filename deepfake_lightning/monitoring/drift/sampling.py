"""Some of a window's items, chosen evenly: by the index of times, whatever the log's size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, Select, bindparam, select

from deepfake_lightning.monitoring.drift.windows import DriftWindow
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.projection import projection_values
from deepfake_lightning.monitoring.log.tables import item_scores, requests
from deepfake_lightning.monitoring.log.totals import QUALITY
from deepfake_lightning.monitoring.log.writing import MINUTE_US

_STRATA = 60
_SPARE = 4  # requests whose names are read, for each one that is chosen
_MOST_ROWS = 100_000  # of all versions, that are passed by for that
_AT_A_TIME = 500


@dataclass(frozen=True, eq=False)
class Items:
    """What is known of N items that were scored.

    Attributes:
        request_ids: [N], in order of time.
        pictures: bool [N], not of a clip.
        logit: float64 [N], log-odds of fake before calibration.
        quality: float64 [N, Q], columns as ``QUALITY``; NaN where not measured.
        projections: float64 [N, K] along the reference's components; NaN where not known. K is 0
            where none is.
    """

    request_ids: list[str]
    pictures: NDArray[np.bool_]
    logit: NDArray[np.float64]
    quality: NDArray[np.float64]
    projections: NDArray[np.float64]


def read_items(log: LogDatabase, window: DriftWindow, most: int) -> Items:
    """Return items of a window, at most ``most``, each with the same chance.

    The window is cut into 60 spans of equal length. Of a large one only a part of each is looked
    at, a span's k-th, where k is drawn; of the requests found there every n-th is taken. The same
    window gives the same items, but for those that were erased or came late.

    Args:
        log: of which.
        window: with its counts.
        most: items, 1 or more.

    Raises:
        StorageError: the log could not be read.
    """
    generator = np.random.default_rng(window.start_us // MINUTE_US)
    # Requests without a score are among those that are chosen.
    wanted = math.ceil(most * max(window.answered, 1) / max(window.items, 1))
    names = _evenly(_names(log, window, wanted, generator), wanted, generator)
    rows = _rows(log, window, names)
    return _items([rows[name] for name in _evenly([n for n in names if n in rows], most,
                                                  generator)])  # fmt: skip


def _names(
    log: LogDatabase, window: DriftWindow, wanted: int, generator: np.random.Generator
) -> list[str]:
    """Ids of answered requests, in order of time."""
    parts = max(window.answered // (_SPARE * wanted), window.requests // _MOST_ROWS, 1)
    edges = np.linspace(window.start_us, window.end_us, _STRATA * parts + 1).astype(np.int64)
    # Where all is read anyway, in one go.
    steps = [(edges[0], edges[-1])] if parts == 1 else [
        (edges[at], edges[at + 1])
        for at in np.arange(_STRATA) * parts + generator.integers(parts, size=_STRATA)
    ]  # fmt: skip
    between = (requests.c.ts_us >= bindparam("start")) & (requests.c.ts_us < bindparam("end"))
    of_version = (requests.c.environment == window.environment) & (
        requests.c.version == window.version
    )
    query = select(requests.c.id).where(between, of_version)
    query = query.order_by(requests.c.ts_us, requests.c.id)
    with log.reading() as connection:
        found = [
            connection.scalars(query, {"start": int(start), "end": int(end)}).all()
            for start, end in steps
        ]
    return [name for part in found for name in part]


def _rows(log: LogDatabase, window: DriftWindow, names: list[str]) -> dict[str, Row[Any]]:
    """Id -> what was logged of its item, for those that have a score."""
    query = _query().where(
        item_scores.c.variant == "serving",
        item_scores.c.version == window.version,
        item_scores.c.item == 0,
        item_scores.c.status == "ok",
        item_scores.c.logit.is_not(None),
    )
    found: dict[str, Row[Any]] = {}
    with log.reading() as connection:
        for start in range(0, len(names), _AT_A_TIME):
            part = requests.c.id.in_(names[start : start + _AT_A_TIME])
            found |= {row.id: row for row in connection.execute(query.where(part))}
    return found


def _query() -> Select[Any]:
    columns = [requests.c.id, requests.c.media_type, item_scores.c.logit]
    columns += [item_scores.c[name] for name in QUALITY]
    return select(*columns, item_scores.c.projection).join_from(requests, item_scores)


def _items(rows: list[Row[Any]]) -> Items:
    number = len(rows)
    measured = np.array([tuple(row)[2:-1] for row in rows], np.float64)  # None becomes NaN
    measured = measured.reshape(number, 1 + len(QUALITY))
    blobs = [row.projection or b"" for row in rows]
    width = max((len(blob) // 4 for blob in blobs), default=0)
    projections = np.full((number, width), np.nan)
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        for place, blob in enumerate(blobs):
            if len(blob) == 4 * width:
                projections[place] = projection_values(blob)
    return Items(
        [row.id for row in rows],
        np.array([row.media_type != "video" for row in rows], bool),
        measured[:, 0],
        measured[:, 1:],
        projections,
    )


def _evenly(names: list[str], most: int, generator: np.random.Generator) -> list[str]:
    """Return at most so many, every n-th from a drawn one on."""
    if len(names) <= most:
        return names
    step = len(names) / most
    places = (np.arange(most) + generator.random()) * step
    return [names[place] for place in places.astype(np.int64)]
