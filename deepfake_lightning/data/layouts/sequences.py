"""The tree that FaceForensics++ and DFD share.

``original_sequences/ORIGIN/COMPRESSION/videos/`` and
``manipulated_sequences/METHOD/COMPRESSION/videos/``; masks lie beside the compressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from deepfake_lightning.data.layouts.class_folders import media_below
from deepfake_lightning.data.layouts.clip_files import ClipFile, clip_files, folders_in

KINDS = {"original_sequences": 0, "manipulated_sequences": 1}
COMPRESSIONS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}
DFD_FOLDERS = frozenset({"actors", "DeepFakeDetection"})


class SequenceFile(NamedTuple):
    """A clip of the tree: its folder (``youtube``, ``Deepfakes``), label and compression."""

    origin: str
    label: int
    compression: str
    file: ClipFile


def origins(root: Path) -> list[str]:
    """Return the names of the folders of originals and of methods."""
    return [folder.name for kind in KINDS for folder in folders_in(root / kind)]


def sequence_files(
    root: Path, wanted: Callable[[str], bool], skipped: dict[str, str]
) -> Iterator[SequenceFile]:
    """Yield the clips of the wanted folders; masks and unknown levels are added to ``skipped``."""
    for kind, label in KINDS.items():
        for origin in folders_in(root / kind):
            for level in folders_in(origin) if wanted(origin.name) else ():
                compression = COMPRESSIONS.get(level.name)
                if compression is None:
                    reason = "a mask" if level.name.startswith("mask") else _unknown(level.name)
                    for path in media_below(level):
                        skipped[path.relative_to(root).as_posix()] = reason
                    continue
                for file in clip_files(root, level, skipped):
                    yield SequenceFile(origin.name, label, compression, file)


def _unknown(level: str) -> str:
    return f"in the folder {level}, which is none of the compressions {', '.join(COMPRESSIONS)}"
