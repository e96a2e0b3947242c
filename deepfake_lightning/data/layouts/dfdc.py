"""DFDC (Deepfake Detection Challenge): training parts, validation and test sets.

``dfdc_train_part_N/metadata.json`` says of each clip whether it is fake, and of which original;
``validation/labels.csv`` and ``test/labels.csv`` or ``metadata.json`` (``is_fake``) say the
first only. The people are unknown: the node of the identity graph is the original clip, also
where that clip itself is not there.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deepfake_lightning.data.layouts.clip_files import clip_files, clip_record, folders_in
from deepfake_lightning.data.layouts.layout import Found, Layout, Options, found_rows
from deepfake_lightning.errors import LayoutError

NAME = "DFDC"
LICENCE = "DFDC dataset licence agreement"
_METADATA, _LABELS = "metadata.json", "labels.csv"
_HELD_OUT = {"val": "val", "test": "test"}
# The challenge's clips have names of ten letters; a labels.csv of other files is not its own.
_LABELS_HEAD = re.compile(r"\s*filename,label\s+[a-z]{10}\.mp4,[01]\s")
_METADATA_HEAD = re.compile(
    r'\s*\{\s*"[^"/\\]+\.mp4"\s*:\s*\{.*"(label"\s*:\s*"(REAL|FAKE)"|is_fake"\s*:\s*[01])',
    re.DOTALL,
)
_UNLISTED = "not named in the metadata.json or labels.csv above it"
_ABSENT = "named in a metadata.json or labels.csv, and not there"


class Entry(NamedTuple):
    """What a list says of a clip: its label (1 is fake) and the original of a fake, if named."""

    label: int
    original: str | None


def head_of(path: Path) -> str:
    """Return the first characters of a text file, empty where there is none to read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.read(4096)
    except OSError:
        return ""


def _list_of(folder: Path) -> Path | None:
    """Return the list of a folder's clips: ``labels.csv``, or else ``metadata.json``."""
    if _LABELS_HEAD.match(head_of(folder / _LABELS)):
        return folder / _LABELS
    return folder / _METADATA if _METADATA_HEAD.match(head_of(folder / _METADATA)) else None


def listings(root: Path) -> dict[Path, Path]:
    """Return the folders with a list of their clips, and the list.

    It is the root, or folders in it, or in its folders ``train``, ``validation`` and ``test``.
    """
    if (path := _list_of(root)) is not None:
        return {root: path}
    found = {}
    for folder in folders_in(root):
        if (path := _list_of(folder)) is not None:
            found[folder] = path
            continue
        is_set = folder.name.lower().startswith(("train", *_HELD_OUT))
        below = ((part, _list_of(part)) for part in folders_in(folder) if is_set)
        found |= {part: path for part, path in below if path is not None}
    return found


def read_list(path: Path) -> dict[str, Entry]:
    """Return what a ``metadata.json`` or ``labels.csv`` says of each clip, by the file's name.

    Raises:
        LayoutError: it is damaged, or a clip has another label than real or fake.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".csv":
            found = csv.DictReader(text.splitlines())
            return {row["filename"]: Entry(int(row["label"]), None) for row in found}
        return {name: _entry(known) for name, known in json.loads(text).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LayoutError(
            f"{path} is damaged: {type(error).__name__}: {error}", next_step="download it again"
        ) from error


def _entry(known: dict[str, Any]) -> Entry:
    original = known.get("original")
    label = {"REAL": 0, "FAKE": 1}[known["label"]] if "label" in known else int(known["is_fake"])
    return Entry(label, Path(original).stem if original and label else None)


def recognises(root: Path) -> bool:
    """Return whether a list of DFDC's is there, see :func:`listings`."""
    return bool(listings(root))


def read(root: Path, options: Options) -> Found:
    """Return the rows of one part or a folder of parts.

    The sets are the splits (policy ``official``) where a validation or test set is there: its
    people are not those of the training set. Training parts alone have no splits.

    Raises:
        LayoutError: a list is damaged, or none of the clips is there.
    """
    lists = listings(root)
    splits = {folder: _split_of(folder, lists[folder], root) for folder in lists}
    official = set(splits.values()) != {"train"}
    skipped: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for folder, path in lists.items():
        entries = read_list(path)
        split = splits[folder] if official else None
        rows += _records(root, folder, entries, split, skipped)
    lone = len({row["video_id"] for row in rows
                if row["label"] and row["video_id"].endswith(f"/{row['target_id']}")})  # fmt: skip
    notes = [f"{lone:,} fakes name no original: each is a group of its own"] if lone else []
    return found_rows(root, rows, "official" if official else "none", skipped, notes)


def _split_of(folder: Path, path: Path, root: Path) -> str:
    """Return the set by the names of the folders, from the inner to the root's."""
    inner = [*folder.relative_to(root).parts, root.resolve().name]
    for name in reversed(inner[:-1] or inner):
        for start, split in _HELD_OUT.items():
            if name.lower().startswith(start):
                return split
    return "test" if '"is_fake"' in head_of(path) else "train"


def _records(
    root: Path, folder: Path, entries: dict[str, Entry], split: str | None, skipped: dict[str, str]
) -> Iterator[dict[str, Any]]:
    by_clip = {Path(name).stem: entry for name, entry in entries.items()}
    there = set()
    for file in clip_files(root, folder, skipped):
        entry = by_clip.get(file.clip)
        if entry is None:
            skipped[file.path.relative_to(root).as_posix()] = _UNLISTED
            continue
        there.add(file.clip)
        yield clip_record(
            root, file, NAME, label=entry.label, target_id=entry.original or file.clip,
            split=split, licence=LICENCE,
        )  # fmt: skip
    place = folder.relative_to(root)
    skipped |= {
        (place / name).as_posix(): _ABSENT for name in entries if Path(name).stem not in there
    }


LAYOUT = Layout("dfdc", NAME, recognises, read)
