"""A tiny training, run once and looked at by many tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deepfake_lightning.training.run import RunResult, fit

TINY = (
    "--model.backbone=test_efficientnet",
    "--model.pretrained=false",
    "--data.image_size=32",
    "--data.batch_size=8",
    "--data.num_workers=0",
    "--data.augment=false",
    "--model.lr=0.005",
    "--trainer.enable_progress_bar=false",
)


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        workspace: where it wrote.
        result: what it returned.
    """

    workspace: Path
    result: RunResult


@pytest.fixture(scope="session")
def tiny_flags(faces: Path) -> Callable[..., list[str]]:
    """Return a function that gives the flags of a tiny training into a workspace."""

    def flags(workspace: Path, *more: str) -> list[str]:
        return [*TINY, f"--data.root={faces}", f"--workspace={workspace}", *more]

    return flags


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, tiny_flags: Callable[..., list[str]]
) -> Trained:
    """Return a training of two epochs. Read its workspace only."""
    workspace = tmp_path_factory.mktemp("trained")
    result = fit(["fit", *tiny_flags(workspace, "--trainer.max_epochs=2")])
    return Trained(workspace, result)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path) -> Iterator[None]:
    """Run each test in a folder of its own, so that a default workspace lands there."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)
