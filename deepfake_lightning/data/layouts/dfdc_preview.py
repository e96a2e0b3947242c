"""The DFDC preview: ``dataset.json`` names every clip by its path.

An entry has ``label`` (real, fake), ``set`` (train, test), ``target_id`` and ``swapped_id``, which
are people: the target and the source. The set is the split (policy ``official``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_lightning.data.layouts.clip_files import ClipFile, clip_files, clip_record
from deepfake_lightning.data.layouts.dfdc import head_of
from deepfake_lightning.data.layouts.layout import Found, Layout, Options, found_rows
from deepfake_lightning.errors import LayoutError
from deepfake_lightning.schemas import LABELS

NAME = "DFDC-preview"
LICENCE = "DFDC preview dataset licence agreement"
_LIST = "dataset.json"
_SETS = {"train": "train", "val": "val", "validation": "val", "test": "test"}
_HEAD = re.compile(r'\s*\{\s*"[^"]+\.mp4"\s*:\s*\{[^}]*"(target_id|swapped_id|set)"\s*:')
_UNLISTED = f"not named in {_LIST}"
_ABSENT = f"named in {_LIST}, and not there"


def recognises(root: Path) -> bool:
    """Return whether there is a ``dataset.json`` of the preview's form."""
    return bool(_HEAD.match(head_of(root / _LIST)))


def read(root: Path, options: Options) -> Found:
    """Return the rows of the clips that are listed and there.

    Raises:
        LayoutError: the list is damaged, or none of the clips is there.
    """
    path = root / _LIST
    try:
        listed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
        entries = {_key(name): (name, _columns(known)) for name, known in listed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LayoutError(
            f"{path} is damaged: {type(error).__name__}: {error}", next_step="download it again"
        ) from error
    skipped: dict[str, str] = {}
    rows, used = [], set()
    for file in clip_files(root, root, skipped):
        key = "/".join((*file.levels, file.clip))
        if key not in entries:
            skipped[file.path.relative_to(root).as_posix()] = _UNLISTED
            continue
        used.add(key)
        rows.append(_record(root, file, entries[key][1]))
    skipped |= {name: _ABSENT for key, (name, _) in entries.items() if key not in used}
    policy = "official" if any(row["split"] for row in rows) else "none"
    return found_rows(root, rows, policy, skipped)


def _key(name: str) -> str:
    return name.replace("\\", "/").removesuffix(".mp4")


def _columns(known: Mapping[str, Any]) -> dict[str, Any]:
    target, swapped = known.get("target_id"), known.get("swapped_id")
    label = LABELS[known["label"].lower()]
    return {
        "label": label,
        "target_id": None if target is None else str(target),
        # An original names itself as both, or none.
        "source_id": str(swapped) if swapped is not None and label else None,
        "split": _SETS[known["set"]] if known.get("set") else None,
    }


def _record(root: Path, file: ClipFile, columns: Mapping[str, Any]) -> dict[str, Any]:
    method = file.levels[0] if file.levels and columns["label"] else None
    return clip_record(
        root, file, NAME, **columns, group=columns["target_id"] or file.clip, method=method,
        licence=LICENCE,
    )  # fmt: skip


LAYOUT = Layout("dfdc_preview", "DFDC preview", recognises, read)
