"""A time of production that later windows are compared with, once somebody has looked at it.

Production has another mix of real and fake than the split that a bundle's reference is of, and
other media: beside that it may look drifted for ever. A baseline has no names of requests. Scores
and qualities are single values, each column sorted on its own: no row of them is a request's.
Embeddings are whole rows, each beside a hash of its request's id: rows of requests that were erased
from the log since are left out when a baseline is read.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from sqlalchemy import select

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.drift.records import Span
from deepfake_lightning.monitoring.drift.sampling import read_items
from deepfake_lightning.monitoring.drift.windows import counted
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.tables import erased
from deepfake_lightning.storage import Workspace, atomic_write, file_hash

MOST, FEWEST = 2000, 200
_HASHED = 16  # bytes
_AT_A_TIME = 500
_NAME = re.compile(r"[\w][\w.+-]*")
_AGAIN = "set it anew: deepfake-lightning monitor --set_baseline true --period 7d"


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
        projections: float64 [N, K], in no order of time; without those of erased requests.
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
    finite = np.flatnonzero(np.isfinite(items.projections).all(axis=1))
    known = items.projections[finite]
    order = np.lexsort(known.T[::-1]) if known.size else np.arange(len(known))
    hashes = [_hash(items.request_ids[place]) for place in finite]
    arrays = {
        "logit": np.sort(items.logit),
        "quality": np.sort(items.quality, axis=0),
        "projections": known[order],
        "requests": np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, _HASHED)[order],
    }
    told = {"environment": environment, "version": version, "start_us": str(window.start_us),
            "end_us": str(window.end_us)}  # fmt: skip
    with atomic_write(path) as file:
        file.write(save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, told))
    found = read_baseline(workspace, environment, version, log)
    assert found is not None
    return found


def read_baseline(
    workspace: Workspace, environment: str, version: str, log: LogDatabase | None = None
) -> Baseline | None:
    """Return the baseline of a version in an environment, None where none was set.

    Args:
        workspace: that keeps it.
        environment: whose requests.
        version: that answered them.
        log: that knows what was erased; without one nothing is left out.

    Raises:
        StorageError: its file is damaged, or the log could not be read.
    """
    path = _path(workspace, environment, version)
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            told = file.metadata() or {}
            arrays = {name: np.asarray(file.get_tensor(name), np.float64)
                      for name in ("logit", "quality", "projections")}  # fmt: skip
            # Older files do not have them.
            requests = file.get_tensor("requests") if "requests" in file.keys() else None  # noqa: SIM118
        start_us, end_us = int(told["start_us"]), int(told["end_us"])
        identity = file_hash(path)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise StorageError(f"{path} is no baseline: {error}", next_step=_AGAIN) from error
    if log is not None and requests is not None:
        gone = _erased(log, names := [row.tobytes().hex() for row in requests])
        arrays["projections"] = arrays["projections"][[name not in gone for name in names]]
    return Baseline(path, identity, environment, version, start_us, end_us, **arrays)


def _hash(request_id: str) -> bytes:
    """As the log's table of erased requests has it."""
    return hashlib.sha256(request_id.encode()).digest()[:_HASHED]


def _erased(log: LogDatabase, hashes: list[str]) -> set[str]:
    gone: set[str] = set()
    with log.reading() as connection:
        for start in range(0, len(hashes), _AT_A_TIME):
            among = erased.c.id.in_(hashes[start : start + _AT_A_TIME])
            gone |= set(connection.scalars(select(erased.c.id).where(among)))
    return gone


def _path(workspace: Workspace, environment: str, version: str) -> Path:
    for name in (environment, version):
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name of an environment or version",
                next_step="--env production --version v1.0.0",
            )
    return workspace.monitoring / "drift" / f"{environment}-{version}.safetensors"
