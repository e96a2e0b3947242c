"""FaceForensics++, with DFD where it lies in the same tree.

``original_sequences/youtube/c23/videos/000.mp4`` and
``manipulated_sequences/Deepfakes/c23/videos/000_003.mp4``, which is target_source. The node of
the identity graph is the original clip. Official splits are lists of pairs of clips in
``train.json``, ``val.json`` and ``test.json``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deepfake_lightning.data.layouts import dfd
from deepfake_lightning.data.layouts.clip_files import clip_record
from deepfake_lightning.data.layouts.layout import Found, Layout, Options, found_rows
from deepfake_lightning.data.layouts.sequences import DFD_FOLDERS, origins, sequence_files
from deepfake_lightning.errors import LayoutError

NAME = "FaceForensics++"
LICENCE = "FaceForensics++ Terms of Use"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
_SPLITS = ("train", "val", "test")
_BESIDE = ("splits", "dataset/splits", ".")
_ODD = "a name that is not NNN, or TTT_SSS of a fake"
_CLIPS = re.compile(r"(\d+)(?:_(\d+))?")


def parse_name(stem: str) -> tuple[str, str | None] | None:
    """Return the target clip and the source clip (None of an original) of a clip's name.

    Example:
        >>> parse_name("000_003"), parse_name("000"), parse_name("readme")
        (('000', '003'), ('000', None), None)
    """
    match = _CLIPS.fullmatch(stem)
    return (match[1], match[2]) if match else None


def read_pairs(folder: Path) -> dict[frozenset[str], str]:
    """Return the split of every pair of clips that the JSON lists of a folder name.

    Raises:
        LayoutError: a file is no list of pairs, or a clip stands in two splits.
    """
    pairs: dict[frozenset[str], str] = {}
    split_of: dict[str, str] = {}
    for split in _SPLITS:
        path = folder / f"{split}.json"
        for pair in _listed(path) if path.is_file() else ():
            pairs[frozenset(pair)] = split
            for clip in pair:
                if split_of.setdefault(clip, split) != split:
                    raise LayoutError(
                        f"{path}: clip {clip} stands in {split_of[clip]}, too",
                        next_step="take the lists that the authors publish",
                    )
    return pairs


def _listed(path: Path) -> list[tuple[str, str]]:
    try:
        listed: Any = json.loads(path.read_text(encoding="utf-8"))
        pairs = [(str(one), str(other)) for one, other in listed]
    except (OSError, ValueError, TypeError) as error:
        raise LayoutError(
            f"{path} is no list of pairs of clips: {error}",
            next_step='it looks like [["953", "974"], ...]',
        ) from error
    return pairs


def recognises(root: Path) -> bool:
    """Return whether the tree holds a folder of FaceForensics++."""
    return bool({"youtube", *METHODS} & set(origins(root)))


def read(root: Path, options: Options) -> Found:
    """Return the rows of a tree, with DFD's where its folders are there.

    Raises:
        LayoutError: split files that are none, or none where they are said to be.
    """
    pairs, place = _official(root, options)
    skipped: dict[str, str] = {}
    rows = [*_records(root, pairs, skipped), *dfd.records(root, skipped)]
    notes = []
    if pairs:
        lost = Counter(row["dataset"] for row in rows if row.get("split") is None)
        notes = [f"official splits of {place}", *(
            f"{count:,} files of {dataset} are in no official split" for dataset, count in
            lost.items()
        )]  # fmt: skip
    odd = sorted(set(origins(root)) - {"youtube", *METHODS} - DFD_FOLDERS)
    if odd:
        notes.append(f"{', '.join(odd)}: not of FaceForensics++ itself, read by the same rules")
    return found_rows(root, rows, "official" if pairs else "none", skipped, notes)


def _official(root: Path, options: Options) -> tuple[dict[frozenset[str], str], Path | None]:
    places = [root / name for name in _BESIDE] if options.splits is None else [options.splits]
    for place in places:
        if any((place / f"{split}.json").is_file() for split in _SPLITS):
            return read_pairs(place), place
    if options.splits is not None:
        raise LayoutError(
            f"{options.splits} holds no train.json, val.json or test.json",
            next_step="name the folder of FaceForensics++'s official split files",
        )
    return {}, None


def _records(
    root: Path, pairs: Mapping[frozenset[str], str], skipped: dict[str, str]
) -> Iterator[dict[str, Any]]:
    split_of = {clip: split for pair, split in pairs.items() for clip in pair}
    for origin, label, compression, file in sequence_files(
        root, lambda name: name not in DFD_FOLDERS, skipped
    ):
        clips = parse_name(file.clip)
        if clips is None or (clips[1] is None) != (label == 0):
            skipped[file.path.relative_to(root).as_posix()] = _ODD
            continue
        target, source = clips
        # The lists name a pair once, and both of its swaps are there.
        split = split_of.get(target) if source is None else pairs.get(frozenset((target, source)))
        yield clip_record(
            root, file, NAME, label=label, target_id=target, source_id=source,
            method=origin if label else None, compression=compression, split=split,
            licence=LICENCE,
        )  # fmt: skip


LAYOUT = Layout("faceforensics", NAME, recognises, read, frozenset({"splits"}))
