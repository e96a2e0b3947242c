"""Totals of a window of time, read off the roll-ups: minutes to months in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, and_, or_

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollup_rows import read_rows
from deepfake_lightning.monitoring.log.rollups import HOUR_S, HOUR_US, MINUTE_S
from deepfake_lightning.monitoring.log.tables import KEYS, rollups
from deepfake_lightning.monitoring.log.totals import Totals, TotalsTable
from deepfake_lightning.monitoring.log.writing import MINUTE_US


@dataclass(frozen=True)
class Rollup:
    """Totals of one key in one span.

    Attributes:
        start_us: when the span begins, microseconds since 1970, UTC.
        key: what they are of, such as ``{"version": "v1.0.0"}``; unknown is the empty string.
        totals: all that was added up.
    """

    start_us: int
    key: dict[str, str]
    totals: Totals


def read_rollups(
    log: LogDatabase,
    start_us: int,
    end_us: int,
    *,
    by: Sequence[str] = ("version", "variant"),
    step_s: int | None = None,
    where: Mapping[str, str] | None = None,
) -> list[Rollup]:
    """Return totals of a window, or of each step in it, by key.

    Whole hours are read as such, and minutes at the edges. A step that is no whole number of hours
    reads minutes alone, and takes longer.

    Args:
        log: of which.
        start_us: of the window, microseconds; widened to whole minutes.
        end_us: of the window.
        by: names of ``KEYS``: environment, version, variant, media_type, route.
        step_s: seconds, whole minutes; steps begin at multiples since 1970. None is one step, from
            the window's start.
        where: values that keys must have.

    Returns:
        In order of time, then of key; nothing for what did not occur.

    Raises:
        UsageError: an unknown key, or a step that is no whole number of minutes.
        StorageError: the log could not be read.
    """
    _check([*by, *(where or {})], step_s)
    start_us -= start_us % MINUTE_US
    end_us += -end_us % MINUTE_US
    chosen = _spans(start_us, end_us, hours=step_s is None or step_s % HOUR_S == 0)
    for name, value in (where or {}).items():
        chosen = and_(chosen, rollups.c[name] == value)
    with log.reading() as connection:
        rows, fields = read_rows(connection, chosen)
    step_us = step_s * 1_000_000 if step_s else 0
    table = TotalsTable()
    table.merge(
        [(row["start_us"] - row["start_us"] % step_us if step_us else start_us,
          *(row[name] for name in by)) for row in rows],
        fields,
    )  # fmt: skip
    return [
        Rollup(key[0], dict(zip(by, key[1:], strict=True)), totals)
        for key, totals in sorted(table.items(), key=lambda item: item[0])
    ]


def merged(found: Sequence[Rollup]) -> Totals:
    """Return the sum of several; zeros for none."""
    table = TotalsTable()
    fields = {
        name: np.array([getattr(one.totals, name) for one in found], array.dtype).reshape(
            len(found), *array.shape[1:]
        )
        for name, array in table.arrays.items()
    }
    table.rows([()])
    table.merge([()] * len(found), fields)
    return table.items()[0][1]


def _check(names: Sequence[str], step_s: int | None) -> None:
    for name in names:
        if name not in KEYS:
            raise UsageError(
                f"roll-ups are not kept by {name!r}", next_step=f"use {', '.join(KEYS)}"
            )
    if step_s is not None and (step_s < MINUTE_S or step_s % MINUTE_S):
        raise UsageError(
            f"a step of {step_s} s is no whole number of minutes", next_step="pass 60, 300, 3600"
        )


def _spans(start_us: int, end_us: int, *, hours: bool) -> ColumnElement[bool]:
    first, last = start_us + -start_us % HOUR_US, end_us - end_us % HOUR_US
    if not hours or first >= last:
        return _span(MINUTE_S, start_us, end_us)
    return or_(
        _span(MINUTE_S, start_us, first),
        _span(HOUR_S, first, last),
        _span(MINUTE_S, last, end_us),
    )


def _span(span_s: int, start_us: int, end_us: int) -> ColumnElement[bool]:
    of_span = (rollups.c.start_us >= start_us) & (rollups.c.start_us < end_us)
    return (rollups.c.span_s == span_s) & of_span
