"""Tables of rows as the well-known data sets have them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.schemas import Manifest

COLUMNS = ["path", "label", "target_id", "source_id", "method", "group_id"]
TEXT = ["path", "target_id", "source_id", "method", "group_id", "video_id", "dataset", "split"]


def table(records: list[tuple], dataset: str) -> pd.DataFrame:
    frame = pd.DataFrame(records, columns=COLUMNS, dtype=object)
    frame = frame.assign(
        label=frame["label"].astype("Int64"), media_type="video", dataset=dataset, split=None,
        frame=pd.array([None] * len(frame), "Int64"),
        track_id=pd.array([None] * len(frame), "Int64"),
        video_id=dataset + "/" + frame["path"].str.removesuffix(".mp4"),
        group_id=dataset + "/" + frame["group_id"],
    )  # fmt: skip
    return frame.astype(dict.fromkeys(TEXT, "string"))


@pytest.fixture(scope="session")
def celeb_rows() -> Callable[..., pd.DataFrame]:
    """Return a function that makes rows like Celeb-DF's: everybody is swapped with everybody.

    ``celeb_rows(people=59, loose=60, group="clip")``; ``group``: what a fake's group names, the
    ``target`` or ``all``, the whole component.
    """

    def make(
        *, people: int = 59, loose: int = 60, group: str = "target", dataset: str = "Celeb-DF-v2"
    ) -> pd.DataFrame:
        def named(target: str) -> str:
            return "all" if group == "all" else target

        records: list[tuple] = []
        for one in range(people):
            for number in range(10):
                path = f"Celeb-real/id{one}_{number:04}.mp4"
                records.append((path, 0, f"id{one}", None, None, named(f"id{one}")))
        for one, other in itertools.permutations(range(people), 2):
            path = f"Celeb-synthesis/id{one}_id{other}_0000.mp4"
            records.append((path, 1, f"id{one}", f"id{other}", "swap", named(f"id{one}")))
        for number in range(loose):
            records.append((f"YouTube-real/{number:05}.mp4", 0, None, None, None, f"yt{number}"))
        return table(records, dataset)

    return make


@pytest.fixture(scope="session")
def ffpp_rows() -> Callable[..., pd.DataFrame]:
    """Return a function that makes rows like FaceForensics++'s: pairs, both ways, 4 methods."""

    def make(*, pairs: int = 100, dataset: str = "FaceForensics++") -> pd.DataFrame:
        records: list[tuple] = []
        for pair in range(pairs):
            one, other = f"{2 * pair:03}", f"{2 * pair + 1:03}"
            for clip in (one, other):
                records.append((f"original/{clip}.mp4", 0, clip, None, None, clip))
            for method in ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"):
                for target, source in ((one, other), (other, one)):
                    path = f"{method}/{target}_{source}.mp4"
                    records.append((path, 1, target, source, method, target))
        return table(records, dataset)

    return make


@pytest.fixture(scope="session")
def as_manifest() -> Callable[..., Manifest]:
    """Return a function that makes a manifest of rows: ``as_manifest(rows, policy="none")``."""

    def make(rows: pd.DataFrame, policy: str = "none") -> Manifest:
        return Manifest(rows.reset_index(drop=True), Path("root"), Path("x.csv"), policy)

    return make


@pytest.fixture(scope="session")
def shuffled() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function that puts rows in another order."""

    def shuffle(rows: pd.DataFrame) -> pd.DataFrame:
        order = np.random.default_rng(3).permutation(len(rows))
        return rows.iloc[order].reset_index(drop=True)

    return shuffle
