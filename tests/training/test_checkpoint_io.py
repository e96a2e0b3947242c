"""Checkpoints on a disk that fills up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from deepfake_lightning.training.checkpoint_io import AtomicCheckpointIO

_FULL_DISK = """
import resource, sys, torch
from deepfake_lightning.errors import StorageError
from deepfake_lightning.training.checkpoint_io import AtomicCheckpointIO
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.zeros(100_000)}}, sys.argv[1])
except StorageError as error:
    print(error)
    sys.exit(error.exit_code + 40)
"""


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.ones(10)}}, path)
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 41, done.stderr
    assert "best.ckpt" in done.stdout
    assert "intact" in done.stdout
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.ones(3)}, "epoch": 4}, path)
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    assert loaded["epoch"] == 4
    assert torch.equal(loaded["state_dict"]["w"], torch.ones(3))


def test_bare_weights_are_loaded(tmp_path: Path) -> None:
    """Lightning's spawning launcher hands weights back to the main process in such a file."""
    path = tmp_path / "temp.ckpt"
    torch.save({"w": torch.ones(3)}, path)
    assert torch.equal(AtomicCheckpointIO().load_checkpoint(path)["w"], torch.ones(3))
