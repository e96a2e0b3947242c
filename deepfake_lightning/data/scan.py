"""Find the media that cannot be read before training starts, and say which and why."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track

from deepfake_lightning.data.splits import check_classes
from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import inspect_image, inspect_video
from deepfake_lightning.schemas import LABELS, Manifest

log = logging.getLogger(__name__)

_SHOWN = 20


class Scan(NamedTuple):
    """What looking into every file has shown.

    Attributes:
        faults: what is wrong with each damaged file, indexed by row.
        rows: int64 [M], the positions of the others.
        digests: int64 [M], a digest of the bytes of each of them.
    """

    faults: pd.Series
    rows: NDArray[np.int64]
    digests: NDArray[np.int64]


class Usable(NamedTuple):
    """The rows of a split that can be used.

    Attributes:
        rows: int64 [M], their positions in the manifest.
        digests: int64 [M], a digest of the bytes of each.
        damaged: row -> what is wrong with it, of the others.
    """

    rows: NDArray[np.int64]
    digests: NDArray[np.int64]
    damaged: dict[int, str]


def usable_rows(
    manifest: Manifest,
    split: str,
    *,
    drawn: bool,
    strict: bool,
    quiet: bool,
    reals_only: bool = False,
) -> Usable:
    """Look into the media of a split; damaged ones are listed and left out.

    Args:
        manifest: with splits.
        split: which one; only in ``test`` rows without a label are used, and one class is enough.
        drawn: the splits were drawn and not given, for messages.
        strict: stop at damaged media.
        quiet: list nothing and show no progress.
        reals_only: leave fakes out; there need be none.

    Raises:
        SplitError: it is empty, or has one class only.
        MediaError: media are damaged and ``strict`` is on, or all of them are.
    """
    scored = split == "test"
    usable = manifest.usable()
    asked: dict[str, bool] = {
        "one_class": scored, "reals_only": reals_only, "drawn": drawn,
        "official": manifest.policy == "official",
    }  # fmt: skip
    check_classes(manifest.rows[usable], split, manifest.origin, **asked)
    chosen = (manifest.rows["split"] == split) & usable
    if not scored:  # media without a label teach nothing, but can be scored
        chosen &= manifest.rows["label"].notna()
    if reals_only:
        chosen &= (manifest.rows["label"] == LABELS["real"]).fillna(False)
    found = scan_media(manifest, np.flatnonzero(chosen.to_numpy(bool)), quiet=quiet)
    report_damaged(manifest, found.faults, int(chosen.sum()), strict=strict, quiet=quiet)
    left = manifest.rows.iloc[found.rows]
    check_classes(left, split, manifest.origin, **asked)
    lost = found.faults.index.to_numpy(np.int64).tolist()
    damaged = dict(zip(lost, found.faults.astype(str), strict=True))
    return Usable(found.rows, found.digests, damaged)


def scan_media(manifest: Manifest, rows: NDArray[np.int64], *, quiet: bool) -> Scan:
    """Read every picture once, and open every video: find the damaged, and take digests.

    Args:
        manifest: the rows and their root.
        rows: int64 [N], the positions to look at.
        quiet: show no progress bar (it is shown on large data sets only).
    """
    chosen = manifest.rows.iloc[rows]
    paths = [manifest.root / path for path in chosen["path"]]
    look = [inspect_video if kind == "video" else inspect_image for kind in chosen["media_type"]]
    with ThreadPoolExecutor() as pool:  # reading and decoding release the interpreter's lock
        found = pool.map(lambda inspect, path: inspect(path), look, paths, chunksize=64)
        shown = track(
            found,
            f"checking {len(paths):,} files",
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
    """Print one list of the files that are skipped, or stop.

    Raises:
        MediaError: in strict mode, or when none is left.
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
            f"{len(faults)} of {checked} files in {manifest.root} cannot be used:\n{listing}",
            next_step="replace or remove them"
            + (", or go on without them with --data.strict false" if len(faults) < checked else ""),
        )
    if not quiet:
        log.warning(
            "%d of %d files in %s are skipped (--data.strict true stops instead):\n%s",
            len(faults),
            checked,
            manifest.root,
            listing,
        )
