"""Folders to push, and storages to push them to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from deepfake_lightning.object_storage import FileList, Place, open_place, transfer
from deepfake_lightning.object_storage.file_list import item_of


@pytest.fixture
def url() -> Iterator[str]:
    """Return the address of an empty storage in memory."""
    name = f"memory://{uuid.uuid4().hex}"
    yield f"{name}/set"
    system = fsspec.filesystem("memory")
    if system.exists(name):
        system.rm(name, recursive=True)


@pytest.fixture
def place(url: str) -> Place:
    return open_place(url)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is tried again be tried at once."""
    monkeypatch.setattr(transfer, "WAITS", [0.0, 0.0])


@pytest.fixture
def listed() -> Callable[[Path], FileList]:
    """Return a function that lists a folder."""

    def make(folder: Path) -> FileList:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return FileList.of("data", "", [item_of(p, p.relative_to(folder).as_posix())
                                        for p in files])  # fmt: skip

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of 30 files, two of which are the same and one empty."""
    root = tmp_path / "here"
    for number in range(28):
        path = root / f"crops/clip{number % 4}" / f"{number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * (100 + number))
    (root / "crops/clip0/copy.jpg").write_bytes((root / "crops/clip0/000.jpg").read_bytes())
    (root / "empty.csv").touch()
    return root
