"""Checkpoints on a disk that fills up."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from deepfake_lightning.errors import StorageError
from deepfake_lightning.training.checkpoint_io import AtomicCheckpointIO


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse to write longer files, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.ones(10)}}, path)
    before = path.read_bytes()
    with _files_of_at_most(20_000), pytest.raises(StorageError) as caught:
        AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.zeros(100_000)}}, path)
    assert caught.value.exit_code == 1
    assert "best.ckpt" in str(caught.value)
    assert "intact" in str(caught.value)
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
