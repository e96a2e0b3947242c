"""Temporary folders: whose they are, and what is left of them."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import StorageError
from deepfake_lightning.temporary import temporary_folder

_TAKE_AND_DIE = """
import os, sys
from pathlib import Path
from deepfake_lightning.temporary import temporary_folder
with temporary_folder("mine-", Path(sys.argv[1])) as folder:
    (folder / "upload").write_text("of a user")
    print(folder, flush=True)
    os._exit(9)
"""

_TAKE_MANY = """
import sys
from pathlib import Path
from deepfake_lightning.temporary import temporary_folder
for number in range(60):
    with temporary_folder("mine-", Path(sys.argv[1])) as folder:
        (folder / "upload").write_text("here")
        assert (folder / "upload").read_text() == "here"
"""


def test_it_is_of_this_user_alone_and_gone_in_the_end(tmp_path: Path) -> None:
    place = tmp_path / "made" / "here"
    with temporary_folder("mine-", place) as folder:
        assert folder.parent == place and folder.name.startswith("mine-")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "below").mkdir()
    assert list(place.iterdir()) == []


def test_it_is_in_the_systems_folder_where_no_place_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder("mine-") as folder:
        assert folder.parent == tmp_path


def test_what_interrupts_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), temporary_folder("mine-", tmp_path) as folder:
        (folder / "upload").write_text("x")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_is_used_stays(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", _TAKE_AND_DIE, str(tmp_path)],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    left = Path(died.stdout.strip())
    assert died.returncode == 9 and (left / "upload").exists()
    with temporary_folder("other-", tmp_path):
        assert left.exists()
    with temporary_folder("mine-", tmp_path) as first:
        assert not left.exists()
        with temporary_folder("mine-", tmp_path) as second:
            assert first.is_dir() and second.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_only_ones_own_is_removed_and_no_link_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, linked, link = (tmp_path / name for name in ("mine-old", "elsewhere", "mine-link"))
    for folder in (mine, linked):
        folder.mkdir()
        (folder / "kept").write_text("x")
    link.symlink_to(linked)
    me = os.getuid()
    with monkeypatch.context() as another:
        another.setattr(os, "getuid", lambda: me + 1)
        with temporary_folder("mine-", tmp_path):
            assert (mine / "kept").exists()
    with temporary_folder("mine-", tmp_path):
        assert not mine.exists()
    assert link.is_symlink() and (linked / "kept").exists()


def test_many_that_begin_at_once_do_not_take_each_others(tmp_path: Path) -> None:
    several: list[subprocess.Popen[Any]] = [
        subprocess.Popen([sys.executable, "-c", _TAKE_MANY, str(tmp_path)]) for _ in range(4)
    ]
    assert [one.wait(60) for one in several] == [0, 0, 0, 0]
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_takes_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    with (
        pytest.raises(StorageError, match=f"{file} takes no files for the time being"),
        temporary_folder("mine-", file),
    ):
        pass
    monkeypatch.setattr(tempfile, "tempdir", str(file))
    with pytest.raises(StorageError, match="TMPDIR"), temporary_folder("mine-"):
        pass


def test_a_machine_without_a_temporary_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with (
        pytest.raises(StorageError, match=r"the temporary folder takes no files.*No usable"),
        temporary_folder("mine-"),
    ):
        pass


def test_a_place_without_locks_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: Any, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (
        pytest.raises(StorageError, match="No locks available"),
        temporary_folder("mine-", tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_whose_maker_was_killed_before_it_had_its_name_is_removed(tmp_path: Path) -> None:
    left, young = tmp_path / ".mine-left", tmp_path / ".mine-young"
    for folder in (left, young):
        folder.mkdir()
    os.utime(left, (0, 0))
    with temporary_folder("mine-", tmp_path):
        assert not left.exists() and young.exists()


def test_what_tidies_temporary_folders_up_sees_that_it_is_used(tmp_path: Path) -> None:
    """As systemd-tmpfiles asks: whether it can lock the folder itself."""
    with temporary_folder("mine-", tmp_path) as folder:
        handle = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)


def test_nothing_is_left_where_files_that_are_open_stay_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS has it: whoever removes a folder must have closed its files before."""
    unlink, rename, parked = os.unlink, os.rename, itertools.count()

    def opened() -> set[str]:
        links = Path("/proc/self/fd").iterdir()
        return {str(link.readlink()) for link in links if link.is_symlink()}

    def parks(path: Any, *, dir_fd: int | None = None) -> None:
        folder = "" if dir_fd is None else f"{Path(f'/proc/self/fd/{dir_fd}').readlink()}/"
        if f"{folder}{path}" in opened():
            rename(f"{folder}{path}", f"{folder}.nfs{next(parked)}")
        else:
            unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", parks)
    with temporary_folder("mine-", tmp_path):
        pass
    left = tmp_path / "mine-left"
    left.mkdir()
    (left / "lock").touch()
    with temporary_folder("mine-", tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
