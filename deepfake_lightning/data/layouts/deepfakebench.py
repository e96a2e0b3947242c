"""DeepfakeBench's JSON lists of frames.

``{data set: {label: {split: {[compression:] {clip: {"label", "frames": [...]}}}}}}``, one file for
each data set, with paths that are relative to a folder named elsewhere, and with back-slashes
where they were written on Windows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deepfake_lightning.data.layouts import celeb_df, dfd, faceforensics
from deepfake_lightning.data.layouts.deepfakebench_frames import Frames
from deepfake_lightning.data.layouts.dfdc import head_of
from deepfake_lightning.data.layouts.layout import Found, Layout, Options, found_rows
from deepfake_lightning.data.layouts.sequences import COMPRESSIONS
from deepfake_lightning.errors import LayoutError

_HEAD = re.compile(
    r'\s*\{\s*"[^"]+"\s*:\s*\{\s*"[^"]+"\s*:\s*\{\s*"(train|val|test)"\s*:\s*\{\s*"', re.DOTALL
)
_PLACES = (".", "dataset_json", "preprocessing/dataset_json")
METHODS = {"FF-DF": "Deepfakes", "FF-F2F": "Face2Face", "FF-FS": "FaceSwap",
           "FF-NT": "NeuralTextures", "FF-FH": "FaceShifter"}  # fmt: skip
# Its names of data sets whose names of clips say who is in them.
_PARSERS = {
    "FaceForensics++": faceforensics.parse_name, "FaceShifter": faceforensics.parse_name,
    "DeepFakeDetection": dfd.parse_name,
    **dict.fromkeys(("Celeb-DF-v1", "Celeb-DF-v2", "Celeb-DF++"), celeb_df.parse_name),
}  # fmt: skip
_NAMES = {"DeepFakeDetection": dfd.NAME, "FaceShifter": faceforensics.NAME}
_OURS = {**METHODS, "DFD_fake": "DeepFakeDetection"}


class Clip(NamedTuple):
    """One clip of a list, as it stands there."""

    dataset: str
    label_name: str
    split: str
    compression: str | None
    name: str
    frames: tuple[str, ...]


def lists_in(root: Path) -> list[Path]:
    """Return the JSON lists that ``root`` is or holds."""
    if root.is_file():
        return [root] if root.suffix == ".json" and _HEAD.match(head_of(root)) else []
    found = (path for place in _PLACES for path in sorted((root / place).glob("*.json")))
    return [path for path in found if _HEAD.match(head_of(path))]


def clips_of(path: Path) -> Iterator[Clip]:
    """Yield the clips of a list, once for each split that they stand in.

    Raises:
        LayoutError: it is not of that form.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
        for dataset, labels in content.items():
            for label, splits in labels.items():
                for split, clips in splits.items():
                    for compression, name, known in _levels(clips):
                        frames = tuple(frame.replace("\\", "/") for frame in known["frames"])
                        yield Clip(dataset, label, split, compression, name, frames)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LayoutError(
            f"{path} is no list of DeepfakeBench: {type(error).__name__}: {error}",
            next_step="make it again, or move it out of the data's root",
        ) from error


def _levels(clips: dict[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    for name, known in clips.items():
        if name in COMPRESSIONS and "frames" not in known:
            yield from ((COMPRESSIONS[name], clip, inner) for clip, inner in known.items())
        else:
            yield None, name, known


def recognises(root: Path) -> bool:
    """Return whether there is a JSON list of that form."""
    return bool(lists_in(root))


def read(root: Path, options: Options) -> Found:
    """Return the rows of the frames that are there, one for each, in one split.

    A clip in ``val`` and ``test`` is test; a data set with clips in train and a scored split has no
    splits. Both are said.

    Raises:
        LayoutError: a list is damaged, or no frames are found.
    """
    clips = [clip for path in lists_in(root) for clip in clips_of(path)]
    frames = Frames.find(root, (clip.frames for clip in clips))
    splits, notes = one_split_each(clips)
    skipped: dict[str, str] = {}
    rows: dict[str, dict[str, Any]] = {}
    for clip in clips:
        known = _known(clip, splits.get(_key(clip)))
        for row in frames.rows(clip.frames, known["dataset"], skipped):
            group = known["group_id"] or row["video_id"]
            rows.setdefault(row["path"], {**row, **known, "group_id": group})
    given = any(row["split"] for row in rows.values())
    return found_rows(frames.base, rows.values(), "given" if given else "none", skipped, notes)


def _key(clip: Clip) -> tuple[str, ...]:
    return (clip.dataset, clip.label_name, clip.compression or "", clip.name)


def one_split_each(clips: list[Clip]) -> tuple[dict[tuple[str, ...], str | None], list[str]]:
    """Return the split of each clip, and notes on data sets in which clips stand in several."""
    stands: dict[tuple[str, ...], set[str]] = {}
    for clip in clips:
        stands.setdefault(_key(clip), set()).add(clip.split)
    notes = []
    result: dict[tuple[str, ...], str | None] = {}
    for dataset in sorted({clip.dataset for clip in clips}):
        own = {key: names for key, names in stands.items() if key[0] == dataset}
        twice = [names for names in own.values() if len(names) > 1]
        leaks = sum("train" in names for names in twice)
        result |= {
            key: None if leaks else "test" if "test" in names else min(names)
            for key, names in own.items()
        }
        if leaks:
            notes.append(f"{dataset}: {leaks:,} of {len(own):,} clips stand in train and in val or "
                         "test: its splits leak and are not used")  # fmt: skip
        elif twice:
            notes.append(f"{dataset}: {len(twice):,} clips stand in val and in test: they are test")
    return result, notes


def _known(clip: Clip, split: str | None) -> dict[str, Any]:
    """Return what the list and the clip's name say of it."""
    dataset = _NAMES.get(clip.dataset, clip.dataset)
    label = 0 if clip.label_name.lower().endswith("real") else 1
    parser = _PARSERS.get(clip.dataset)
    people = parser(clip.name) if parser else None
    target, source = people or (None, None)
    return {
        "label": label,
        "group_id": f"{dataset}/{target}" if target else None,
        "target_id": target,
        "source_id": source if label else None,
        "method": _OURS.get(clip.label_name, clip.label_name) if label else None,
        "dataset": dataset,
        "compression": clip.compression,
        "split": split,
    }


LAYOUT = Layout("deepfakebench", "DeepfakeBench JSON", recognises, read)
