"""A sweep over tiny trainings, and its desk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepfake_lightning.storage import Workspace
from deepfake_lightning.tuning.sweep import Sweep

BASE = {
    "seed_everything": 1,
    "model": {"backbone": "test_efficientnet", "pretrained": False, "lr": 0.005},
    "data": {
        "image_size": 32,
        "batch_size": 16,
        "num_workers": 0,
        "augment": False,
        "splits": {"train": 0.5, "val": 0.25, "test": 0.25},
    },
    "trainer": {"max_epochs": 2, "enable_progress_bar": False},
}
SPACE = {"model.lr": {"low": 1e-9, "high": 0.1, "log": True}}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path) -> Iterator[None]:
    """Run each test in a folder of its own."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def few_faces(tmp_path_factory: pytest.TempPathFactory, make_faces: Callable[..., Path]) -> Path:
    """Return a folder with 16 real and 16 fake pictures of 16 people. Read it only."""
    return make_faces(tmp_path_factory.mktemp("few") / "faces", people=16)


@pytest.fixture
def make_sweep(tmp_path: Path, few_faces: Path) -> Callable[..., Sweep]:
    """Return a function that makes a sweep of tiny trainings on 32 pictures."""

    def make(changed: dict[str, Any] | None = None, **changes: Any) -> Sweep:
        config = tmp_path / "base.yaml"
        data = {**BASE["data"], "root": str(few_faces)}
        config.write_text(yaml.safe_dump({**BASE, "data": data, **(changed or {})}))
        given = {"study": "tiny", "base": str(config), "space": SPACE, "trials": 2,
                 "objective": "val/loss"}  # fmt: skip
        return Sweep(**{**given, **changes})

    return make


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace of the test's own."""
    return Workspace(tmp_path / "mlops")


@pytest.fixture
def open_desk(workspace: Workspace) -> Callable[..., Any]:
    """Return a function that opens the desk of a sweep, as its command does."""
    from deepfake_lightning.tuning.claiming import Desk
    from deepfake_lightning.tuning.study import open_storage, open_study

    def open_(sweep: Sweep) -> Desk:
        folder = workspace.tuning / sweep.study
        storage = open_storage(sweep.storage, folder)
        return Desk(sweep, open_study(sweep, storage), folder, storage)

    return open_


@pytest.fixture
def make_job(workspace: Workspace) -> Callable[..., Any]:
    """Return a function that makes the job of a sweep's only worker."""
    from deepfake_lightning.tuning.job import Job

    def make(sweep: Sweep) -> Job:
        settings = {
            "model": {"lr": 0.005, "backbone": "test_efficientnet"},
            "trainer": {"max_epochs": 2, "devices": "auto", "accelerator": "auto"},
        }
        return Job("0-test", 0, sweep.model_dump(mode="json"), settings, str(workspace.root))

    return make
