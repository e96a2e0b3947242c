"""Looks at a split are counted, whoever looks and whatever crashes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.data.audit import looks, record_look
from deepfake_lightning.data.audit.ledger import ledger_path
from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.storage import Workspace

Rows = Callable[..., pd.DataFrame]
Make = Callable[..., Manifest]


@pytest.fixture
def manifest(make_rows: Rows, manifest_of: Make) -> Manifest:
    return manifest_of(make_rows(6, split=["train", "train", "test", "test", "gate", "gate"]))


def look(workspace: Workspace, manifest: Manifest, split: str = "test") -> int:
    return record_look(
        workspace, manifest, split, scored="best.ckpt", command="test",
        clock=lambda: datetime(2026, 5, 1, 12, tzinfo=UTC),
    )  # fmt: skip


def test_each_look_counts(tmp_path: Path, manifest: Manifest) -> None:
    workspace = Workspace(tmp_path)
    assert looks(workspace, manifest, "test") == []
    assert [look(workspace, manifest) for _ in range(3)] == [1, 2, 3]
    assert look(workspace, manifest, "gate") == 1
    first = looks(workspace, manifest, "test")[0]
    assert (first.scored, first.when) == ("best.ckpt", "2026-05-01T12:00:00Z")


def test_other_splits_and_orders_play_no_part(tmp_path: Path, manifest: Manifest) -> None:
    workspace = Workspace(tmp_path)
    look(workspace, manifest)
    rows = manifest.rows.drop(index=0).iloc[::-1]
    assert look(workspace, manifest.with_rows(rows)) == 2
    other = manifest.with_rows(manifest.rows.drop(index=2))
    assert look(workspace, other) == 1


def test_a_torn_line_costs_itself(tmp_path: Path, manifest: Manifest) -> None:
    workspace = Workspace(tmp_path)
    look(workspace, manifest)
    with ledger_path(workspace).open("a") as file:
        file.write('{"split": "te')
    assert look(workspace, manifest) == 2


def test_train_is_not_scored(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(UsageError, match="train"):
        look(Workspace(tmp_path), manifest, "train")


def _look_often(root: Path, manifest: Manifest) -> None:
    for _ in range(10):
        record_look(Workspace(root), manifest, "test", scored="a", command="test")


def test_processes_lose_no_look(tmp_path: Path, manifest: Manifest) -> None:
    with ProcessPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(_look_often, tmp_path, manifest)
    assert len(looks(Workspace(tmp_path), manifest, "test")) == 30
