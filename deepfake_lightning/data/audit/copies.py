"""The same content in several places: byte for byte, and copies that look the same."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from deepfake_lightning.data.audit.findings import Finding
from deepfake_lightning.data.audit.fingerprints import near_pairs
from deepfake_lightning.data.audit.leaks import (
    SHOWN,
    across_splits,
    in_words,
    split_pairs,
)
from deepfake_lightning.data.audit.statistics import Statistics
from deepfake_lightning.data.splits import HELD_APART
from deepfake_lightning.storage import file_hash

_SAME_SETS = 0.9  # share of the smaller of val and test that is in the other


def content_hashes(files: pd.DataFrame, root: Path) -> pd.Series:
    """Return the SHA-256 of each file that has a size in common with another; missing for others.

    Files of different sizes differ, so only sizes are asked of most clips. Missing files too are
    without a hash.

    Args:
        files: with a column ``path``.
        root: the folder the paths are relative to.
    """
    with ThreadPoolExecutor() as pool:  # waiting for the disk and hashing release the lock
        sizes = pd.Series(list(pool.map(lambda p: _size(root / p), files["path"])), files.index)
        alike = sizes[sizes.duplicated(keep=False) & (sizes >= 0)].index
        paths = files.loc[alike, "path"]
        hashes = list(pool.map(lambda path: _hash(root / path), paths))
    return pd.Series(hashes, alike, dtype="string").reindex(files.index)


def look_at_content(files: pd.DataFrame, hashes: pd.Series) -> list[Finding]:
    """Return what files that are the same, byte for byte, show.

    Args:
        files: with columns ``path``, ``split`` and ``label``, a row a file.
        hashes: what :func:`content_hashes` gave.
    """
    compared = files["split"].where(files["split"].isin(HELD_APART))
    leaking = across_splits(hashes, compared)
    return [
        *_same_content(files, hashes, leaking),
        *_val_is_test(hashes, compared),
        *_conflicts(files, hashes),
    ]


def look_at_copies(files: pd.DataFrame, measured: Statistics, hashes: pd.Series) -> list[Finding]:
    """Return the pairs of measured files in different splits that look the same, but are not.

    Args:
        files: with columns ``path`` and ``split``, the measured ones, in their order.
        measured: what was measured.
        hashes: of each, missing where no file has its size; the same file is told elsewhere.
    """
    pairs: dict[str, int] = {}
    examples: list[tuple[str, str, int]] = []
    splits = files["split"].astype("string").fillna("").to_numpy(object)
    known = hashes.notna().to_numpy(bool)
    contents = hashes.fillna("").to_numpy(object)
    for left, right in combinations(HELD_APART, 2):
        a, b = (np.flatnonzero((splits == s) & measured.has_fingerprint) for s in (left, right))
        near = near_pairs(measured.fingerprints[a], measured.fingerprints[b])
        near = near[(contents[a[near[:, 0]]] != contents[b[near[:, 1]]]) | ~known[a[near[:, 0]]]]
        if len(near):
            pairs[f"{left} and {right}"] = len(near)
            examples += _named(files, a[near[:, 0]], b[near[:, 1]], near[:, 2])
    if not pairs:
        return []
    first = examples[0]
    return [
        Finding(
            "near_copy",
            "error",
            f"{sum(pairs.values()):,} pairs of files in two splits look the same "
            f"({in_words(pairs)}), {first[0]} and {first[1]} for one",
            {
                "pairs": sum(pairs.values()),
                "splits": pairs,
                "examples": [[a, b, bits] for a, b, bits in examples[:SHOWN]],
            },
            "keep copies in one split, or remove all but one",
        )
    ]


def _named(
    files: pd.DataFrame, left: np.ndarray, right: np.ndarray, bits: np.ndarray
) -> Iterator[tuple[str, str, int]]:
    paths = files["path"].to_numpy(object)
    nearest = np.argsort(bits, kind="stable")[:SHOWN]
    for n in nearest:
        yield str(paths[left[n]]), str(paths[right[n]]), int(bits[n])


def _same_content(files: pd.DataFrame, hashes: pd.Series, leaking: pd.Series) -> list[Finding]:
    if leaking.empty:
        return []
    pairs = split_pairs(leaking)
    examples = [files.loc[hashes == one, "path"].head(3).tolist() for one in leaking.index[:SHOWN]]
    return [
        Finding(
            "same_content",
            "error",
            f"{len(leaking):,} files stand in two splits ({in_words(pairs)}), "
            f"{' and '.join(examples[0][:2])} for one",
            {"contents": len(leaking), "splits": pairs, "examples": examples},
            "keep each file once, or all of its copies in one split",
        )
    ]


def _val_is_test(hashes: pd.Series, splits: pd.Series) -> list[Finding]:
    splits = splits.astype("string").fillna("")
    held = {split: (splits == split).sum() for split in ("val", "test")}
    found = {split: set(hashes[splits == split].dropna()) for split in held}
    shared = hashes.isin(found["val"] & found["test"])
    shares = {s: float((shared & (splits == s)).sum() / n) if n else 0.0 for s, n in held.items()}
    if max(shares.values()) < _SAME_SETS:
        return []
    return [
        Finding(
            "val_is_test",
            "error",
            f"{shares['test']:.0%} of test are the same files as in val ({shares['val']:.0%} of "
            "them)",
            {"share_of_val": shares["val"], "share_of_test": shares["test"]},
            "give each a set of its own: val picks the checkpoint, so figures on it are too good",
        )
    ]


def _conflicts(files: pd.DataFrame, hashes: pd.Series) -> list[Finding]:
    known = pd.DataFrame({"hash": hashes, "label": files["label"]}).dropna()
    labels = known.groupby("hash")["label"].nunique()
    both = labels[labels > 1]
    if both.empty:
        return []
    examples = [files.loc[hashes == one, "path"].head(3).tolist() for one in both.index[:SHOWN]]
    return [
        Finding(
            "label_conflict",
            "error",
            f"{len(both):,} files are labelled real in one place and fake in another, "
            f"{' and '.join(examples[0][:2])} for one",
            {"contents": len(both), "examples": examples},
            "correct the wrong label, or remove both",
        )
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1


def _hash(path: Path) -> str | None:
    try:
        return file_hash(path)
    except OSError:
        return None
