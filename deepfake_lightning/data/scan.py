"""Find the pictures that cannot be read before training starts, and say which and why."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import inspect_image
from deepfake_lightning.schemas import Manifest

log = logging.getLogger(__name__)

_SHOWN = 20


class Scan(NamedTuple):
    """What reading every picture has shown.

    Attributes:
        faults: what is wrong with each damaged picture, indexed by row.
        rows: int64 [M], the positions of the others.
        digests: int64 [M], a digest of the bytes of each of them.
    """

    faults: pd.Series
    rows: NDArray[np.int64]
    digests: NDArray[np.int64]


def scan_pictures(manifest: Manifest, rows: NDArray[np.int64], *, quiet: bool) -> Scan:
    """Read every picture once: find the damaged ones, and take a digest of each.

    Args:
        manifest: the rows and their root.
        rows: int64 [N], the positions to look at.
        quiet: show no progress bar (it is shown on large data sets only).
    """
    paths = [manifest.root / path for path in manifest.rows["path"].iloc[rows]]
    with ThreadPoolExecutor() as pool:  # reading and decoding release the interpreter's lock
        found = pool.map(inspect_image, paths, chunksize=64)
        shown = track(
            found,
            f"checking {len(paths):,} pictures",
            total=len(paths),
            disable=quiet or len(paths) < 5000,
            transient=True,
        )
        inspected = list(shown)
    faults = pd.Series([fault for fault, _ in inspected], index=rows, dtype=object)
    whole = faults.isna().to_numpy(bool)
    digests = np.fromiter((digest for _, digest in inspected), np.int64, len(inspected))
    return Scan(faults.dropna(), rows[whole], digests[whole])


def report_damaged(
    manifest: Manifest, faults: pd.Series, checked: int, *, strict: bool, quiet: bool
) -> None:
    """Print one list of the pictures that are skipped, or stop.

    Raises:
        MediaError: in strict mode, or when no picture is left.
    """
    if faults.empty:
        return
    first = faults.head(_SHOWN)
    paths = manifest.rows["path"].iloc[first.index.to_numpy(np.int64)]
    lines = [f"  {path}: {fault}" for path, fault in zip(paths, first, strict=True)]
    if len(faults) > _SHOWN:
        lines.append(f"  ... and {len(faults) - _SHOWN} more")
    listing = "\n".join(lines)
    if strict or len(faults) == checked:
        raise MediaError(
            f"{len(faults)} of {checked} pictures in {manifest.root} cannot be used:\n{listing}",
            next_step="replace or remove them"
            + (", or go on without them with --data.strict false" if len(faults) < checked else ""),
        )
    if not quiet:
        log.warning(
            "%d of %d pictures in %s are skipped (--data.strict true stops instead):\n%s",
            len(faults),
            checked,
            manifest.root,
            listing,
        )
