"""Published test items that are trained on."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake_lightning.data.audit.findings import Finding
from deepfake_lightning.data.audit.leaks import SHOWN
from deepfake_lightning.schemas import Manifest

CELEB_DF_LIST = "List_of_testing_videos.txt"
FFPP_LIST = "test.json"
_FFPP_CLIP = re.compile(
    r"(?:original_sequences/youtube|manipulated_sequences/(?!DeepFakeDetection/)[^/]+)/.*?"
    r"/(\d{3})(?:_(\d{3}))?(?:/|$)"
)


def look_at_official_tests(manifest: Manifest, named: Collection[str] = ()) -> list[Finding]:
    """Return whether items of a published test list are in ``train``.

    The lists of Celeb-DF (``List_of_testing_videos.txt``) and of FaceForensics++ (``test.json``)
    are looked for in the manifest's root, beside the manifest and one folder below; others are
    given by name.

    Args:
        manifest: with splits.
        named: further items of test lists, as ``folder/file``, with or without a suffix.
    """
    rows = manifest.rows[manifest.rows["split"] == "train"]
    lists = sorted(
        {path for place in {manifest.root, manifest.origin.parent}
         for name in (CELEB_DF_LIST, FFPP_LIST) for pattern in (name, f"*/{name}")
         for path in place.glob(pattern)}
    )  # fmt: skip
    trained = pd.Series(False, index=rows.index)
    used = []
    for path in lists:
        hit = _listed(rows, path)
        trained |= hit
        if hit.any():
            used.append(str(path))
    trained |= _last_two(rows["video_id"]).isin({_stem(name) for name in named})
    items = rows.loc[trained, "video_id"].drop_duplicates()
    if items.empty:
        return []
    return [
        Finding(
            "official_test_in_train",
            "error",
            f"{len(items):,} items of a published test list are in train, {items.iloc[0]!r} "
            "for one",
            {"items": len(items), "examples": items.head(SHOWN).tolist(), "lists": used},
            "move them to test: everybody's figures on this data set are measured on them",
        )
    ]


def _listed(rows: pd.DataFrame, path: Path) -> pd.Series:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return pd.Series(False, index=rows.index)
    if path.name == CELEB_DF_LIST:
        # ``<label> <folder>/<file>``, no header.
        names = [line.split(maxsplit=1)[1].strip() for line in text.splitlines() if " " in line]
        return _last_two(rows["video_id"]).isin({_stem(name) for name in names})
    people = _ffpp_people(text)
    return rows["video_id"].map(lambda name: _is_ffpp_test(str(name), people)).astype(bool)


def _ffpp_people(text: str) -> set[str]:
    """Return the clips that a list of pairs ``[["953", "974"], ...]`` names; none of other JSON."""
    try:
        pairs: Any = json.loads(text)
    except ValueError:
        return set()
    if not isinstance(pairs, list) or not all(isinstance(pair, list) for pair in pairs):
        return set()
    return {str(clip) for pair in pairs for clip in pair}


def _is_ffpp_test(name: str, people: set[str]) -> bool:
    found = _FFPP_CLIP.search(name)
    return found is not None and any(clip in people for clip in found.groups())


def _stem(name: str) -> str:
    parts = name.replace("\\", "/").split("/")
    return "/".join([*parts[:-1], parts[-1].rpartition(".")[0] or parts[-1]][-2:])


def _last_two(names: pd.Series) -> pd.Series:
    return names.map(lambda name: "/".join(str(name).split("/")[-2:]))
