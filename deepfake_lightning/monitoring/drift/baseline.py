"""A time of production that later windows are compared with, once somebody has looked at it.

Production has another mix of real and fake than the split that a bundle's reference is of, and
other media: beside that it may look drifted for ever. A baseline holds values alone, each column
sorted on its own, and no names of requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.drift.records import Span
from deepfake_lightning.monitoring.drift.sampling import read_items
from deepfake_lightning.monitoring.drift.windows import counted
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.storage import Workspace, atomic_write, file_hash

MOST, FEWEST = 2000, 200
_NAME = re.compile(r"[\w][\w.+-]*")
_AGAIN = "set it anew: deepfake-lightning monitor --set-baseline true --period 7d"


@dataclass(frozen=True, eq=False)
class Baseline:
    """Items of a time, at most 2,000, chosen evenly.

    Attributes:
        path: of its file.
        identity: SHA-256 of that.
        environment, version: whose.
        start_us, end_us: of the time, microseconds since 1970, UTC.
        logit: float64 [M], ascending.
        quality: float64 [M, Q], each column ascending, what is not known (NaN) last.
        projections: float64 [N, K], in no order of time.
    """

    path: Path
    identity: str
    environment: str
    version: str
    start_us: int
    end_us: int
    logit: NDArray[np.float64]
    quality: NDArray[np.float64]
    projections: NDArray[np.float64]


def set_baseline(
    log: LogDatabase, workspace: Workspace, environment: str, version: str, period: Span
) -> Baseline:
    """Keep what a version was given in a time, to compare later windows with.

    It takes the place of one that was set before. It counts where the policy's ``reference`` is
    ``baseline``.

    Args:
        log: of which.
        workspace: that keeps it, in ``monitoring/drift``.
        environment: whose requests.
        version: that answered them.
        period: which time.

    Raises:
        UsageError: names that are none, or fewer than 200 scored items in that time.
        StorageError: the log could not be read, or the file not written.
    """
    path = _path(workspace, environment, version)
    window = counted(log, environment, version, period.start_us, period.end_us)
    items = read_items(log, window, MOST)
    number = len(items.logit)
    if number < FEWEST:
        raise UsageError(
            f"{version} has scored {number:,} items in {environment} in that time: a baseline "
            f"takes {FEWEST}",
            next_step="pass a longer --period",
        )
    known = items.projections[np.isfinite(items.projections).all(axis=1)]
    arrays = {
        "logit": np.sort(items.logit),
        "quality": np.sort(items.quality, axis=0),
        "projections": known[np.lexsort(known.T[::-1])] if known.size else known,
    }
    told = {"environment": environment, "version": version, "start_us": str(window.start_us),
            "end_us": str(window.end_us)}  # fmt: skip
    with atomic_write(path) as file:
        file.write(save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, told))
    found = read_baseline(workspace, environment, version)
    assert found is not None
    return found


def read_baseline(workspace: Workspace, environment: str, version: str) -> Baseline | None:
    """Return the baseline of a version in an environment, None where none was set.

    Raises:
        StorageError: its file is damaged.
    """
    path = _path(workspace, environment, version)
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            told = file.metadata() or {}
            arrays = {name: np.asarray(file.get_tensor(name), np.float64)
                      for name in ("logit", "quality", "projections")}  # fmt: skip
        start_us, end_us = int(told["start_us"]), int(told["end_us"])
        identity = file_hash(path)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise StorageError(f"{path} is no baseline: {error}", next_step=_AGAIN) from error
    return Baseline(path, identity, environment, version, start_us, end_us, **arrays)


def _path(workspace: Workspace, environment: str, version: str) -> Path:
    for name in (environment, version):
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name of an environment or version",
                next_step="--env production --version v1.0.0",
            )
    return workspace.monitoring / "drift" / f"{environment}-{version}.safetensors"
