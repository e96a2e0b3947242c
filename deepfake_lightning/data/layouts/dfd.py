"""DFD (Google and Jigsaw's Deep Fake Detection), in the tree of FaceForensics++.

``original_sequences/actors/c23/videos/01__exit_phone_room.mp4`` (actor, scene) and
``manipulated_sequences/DeepFakeDetection/c23/videos/01_02__exit_phone_room__YVGY8LOK.mp4`` (target
and source, scene, eight characters).
It has no official split. The node of the identity graph is the actor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deepfake_lightning.data.layouts.clip_files import clip_record
from deepfake_lightning.data.layouts.layout import Found, Layout, Options, found_rows
from deepfake_lightning.data.layouts.sequences import DFD_FOLDERS, origins, sequence_files

NAME = "DFD"
LICENCE = "FaceForensics++ Terms of Use (DFD)"
_ODD = "a name that is not <target>_<source>__<scene>__<id> or <actor>__<scene>"
_ACTORS = re.compile(r"(\d+)(?:_(\d+))?")


def parse_name(stem: str) -> tuple[str, str | None] | None:
    """Return the target actor and the source actor (None of an original) of a clip's name.

    The scene has underscores of its own, so the name is split at its first ``__``.

    Example:
        >>> parse_name("01_02__outside_talking_still__YVGY8LOK"), parse_name("03__hugging_happy")
        (('01', '02'), ('03', None))
    """
    actors, separator, scene = stem.partition("__")
    match = _ACTORS.fullmatch(actors)
    return (match[1], match[2]) if match and separator and scene else None


def records(root: Path, skipped: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the DFD clips of a tree."""
    for origin, label, compression, file in sequence_files(root, DFD_FOLDERS.__contains__, skipped):
        actors = parse_name(file.clip)
        if actors is None or (actors[1] is None) != (label == 0):
            skipped[file.path.relative_to(root).as_posix()] = _ODD
            continue
        yield clip_record(
            root, file, NAME, label=label, target_id=actors[0], source_id=actors[1],
            method=origin if label else None, compression=compression, licence=LICENCE,
        )  # fmt: skip


def recognises(root: Path) -> bool:
    """Return whether the tree holds clips of DFD, and none of FaceForensics++."""
    names = set(origins(root))
    return bool(names) and names <= DFD_FOLDERS


def read(root: Path, options: Options) -> Found:
    """Return the rows of a tree that holds DFD alone."""
    skipped: dict[str, str] = {}
    return found_rows(root, records(root, skipped), "none", skipped)


LAYOUT = Layout("dfd", "DFD", recognises, read)
