"""A log that is there already: who reads or judges makes none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepfake_lightning.monitoring.log.prediction_log import PredictionLog


def is_missing(place: str | Path) -> bool:
    """Return whether a log is to be a file, and there is none; of an address nobody knows."""
    is_file = isinstance(place, Path) or "://" not in place
    return is_file and not Path(place).is_file()


@contextmanager
def existing_log(place: str | Path) -> Iterator[PredictionLog | None]:
    """Give the prediction log; None where nothing has written one yet.

    Raises:
        StorageError: it cannot be opened.
    """
    if is_missing(place):
        yield None
        return
    with PredictionLog(place) as log:
        yield log
