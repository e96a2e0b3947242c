"""What is added up over a span of time, and the figures that are read off it: pure.

All of it is counts and sums, so spans are merged by adding. Latencies are counted in buckets whose
edges are a factor of about 2^(1/8) apart: a percentile is the geometric middle of its bucket, at
most 5 % off. Scores are counted as calibrated log-odds, in the buckets that a bundle's
``reference.json`` has: probabilities crowd at 0 and 1, where detectors are most of the time, and
verdicts are bounded in log-odds, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.monitoring.log.tables import COUNTS

STAGES = ("queue", "media", "decode", "faces", "network")
QUALITY = ("brightness", "contrast", "saturation", "sharpness", "noise", "blockiness")
# 64 microseconds to 71 minutes; whole numbers, so that a latency lies on one side for certain.
LATENCY_EDGES: NDArray[np.int64] = np.ceil(64 * 2.0 ** (np.arange(209) / 8)).astype(np.int64)
SCORE_EDGES: NDArray[np.float64] = np.linspace(-10.0, 10.0, 41)
# name -> shape, dtype in memory, dtype in the database
SHAPES: dict[str, tuple[tuple[int, ...], str, str]] = {
    "counts": ((len(COUNTS),), "<i8", "<i8"),
    "latency": ((len(LATENCY_EDGES) + 1,), "<i8", "<i4"),
    "scores": ((len(SCORE_EDGES) - 1,), "<i8", "<i4"),
    "stages": ((len(STAGES), 2), "<i8", "<i8"),
    "quality": ((len(QUALITY), 3), "<f8", "<f8"),
}


@dataclass(frozen=True)
class Totals:
    """Sums over the requests of a span of time, and over what one version said of them.

    Attributes:
        counts: int64 [18], in the order of ``tables.COUNTS``. ``status_5xx`` are without
            ``status_503``; ``latency_us`` is the sum of the latencies; ``items`` are those the
            version looked at, and four counts are their verdicts. Of the ``labelled`` ones ``tp``
            and ``fp`` had manipulation indicated and are fake and real, ``fn`` and ``tn`` had no
            indication and are fake and real; the rest of them are undecided.
        latency: int64 [210], requests below the first of ``LATENCY_EDGES``, between two, and from
            the last on.
        scores: int64 [40], items by calibrated log-odds between two of ``SCORE_EDGES``; what is
            beyond the last ones is counted at the end.
        stages: int64 [5, 2], for each of ``STAGES`` how many took it, and microseconds together.
        quality: float64 [6, 3], for each of ``QUALITY`` how many items have it, the sum, and the
            sum of squares.
    """

    counts: NDArray[np.int64]
    latency: NDArray[np.int64]
    scores: NDArray[np.int64]
    stages: NDArray[np.int64]
    quality: NDArray[np.float64]

    def count(self, name: str) -> int:
        """Return one of the counts, by its name."""
        return int(self.counts[COUNTS.index(name)])

    def latency_quantile(self, share: float) -> float | None:
        """Return the latency in microseconds that ``share`` of the requests took at most.

        Within 5 % of the nearest-rank quantile, from 64 microseconds to 71 minutes; None without
        requests.
        """
        reached = np.cumsum(self.latency)
        if reached[-1] == 0:
            return None
        rank = max(1, math.ceil(share * int(reached[-1])))
        bucket = int(np.searchsorted(reached, rank))
        low = LATENCY_EDGES[max(bucket - 1, 0)]
        high = LATENCY_EDGES[min(bucket, len(LATENCY_EDGES) - 1)]
        return math.sqrt(float(low) * float(high))

    def latency_mean(self) -> float | None:
        """Return the mean latency in microseconds, None without requests."""
        requests = self.count("requests")
        return self.count("latency_us") / requests if requests else None

    def stage_mean(self, name: str) -> float | None:
        """Return what one of ``STAGES`` took on average, microseconds; None where none took it."""
        number, total = self.stages[STAGES.index(name)]
        return float(total) / int(number) if number else None

    def quality_mean_std(self, name: str) -> tuple[float, float] | None:
        """Return mean and standard deviation of one of ``QUALITY``, None where none has it."""
        number, total, squares = self.quality[QUALITY.index(name)].tolist()
        if not number:
            return None
        mean = total / number
        return mean, math.sqrt(max(0.0, squares / number - mean * mean))


class TotalsTable:
    """Totals by key, added up many rows at a time.

    Attributes:
        keys: key -> its row.
        arrays: name -> [keys or more, ...], the fields of :class:`Totals`.
    """

    def __init__(self) -> None:
        self.keys: dict[tuple[Any, ...], int] = {}
        self.arrays = {name: np.zeros((0, *shape), dtype)
                       for name, (shape, dtype, _) in SHAPES.items()}  # fmt: skip

    def rows(self, keys: Sequence[tuple[Any, ...]]) -> NDArray[np.intp]:
        """Return the rows of keys, which are made where they are new: intp [N]."""
        index = self.keys
        found = np.fromiter((index.setdefault(key, len(index)) for key in keys), np.intp, len(keys))
        missing = len(index) - len(self.arrays["counts"])
        if missing > 0:
            for name, array in self.arrays.items():
                grown = np.zeros((max(missing, len(array)), *array.shape[1:]), array.dtype)
                self.arrays[name] = np.concatenate((array, grown))
        return found

    def add(self, name: str, where: NDArray[Any], cell: tuple[Any, ...], amount: Any = 1) -> None:
        """Add to cells of a field.

        Args:
            name: the field.
            where: intp [N], rows.
            cell: the rest of the index, numbers or intp [N].
            amount: a number, or [N].
        """
        array = self.arrays[name]
        flat = np.ravel_multi_index(
            (where, *(np.broadcast_to(part, where.shape) for part in cell)), array.shape
        )
        weights = None if np.ndim(amount) == 0 else np.asarray(amount, np.float64)
        sums = np.bincount(flat, weights, minlength=array.size).reshape(array.shape)
        array += sums.astype(array.dtype)

    def merge(self, keys: Sequence[tuple[Any, ...]], fields: dict[str, NDArray[Any]]) -> None:
        """Add whole totals, ``fields`` [N, ...], to those of their keys."""
        if not keys:
            return
        where = self.rows(keys)
        order = np.argsort(where, kind="stable")
        rows, starts = np.unique(where[order], return_index=True)
        for name, values in fields.items():
            self.arrays[name][rows] += np.add.reduceat(values[order], starts)

    def items(self) -> list[tuple[tuple[Any, ...], Totals]]:
        """Return each key with its totals."""
        return [
            (key, Totals(**{name: array[row] for name, array in self.arrays.items()}))
            for key, row in self.keys.items()
        ]
