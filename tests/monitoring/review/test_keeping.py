"""Media kept for reviewers: what is kept, how much of it, and that it goes with its request."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from deepfake_lightning.monitoring.log import PredictionLog, new_request_id
from deepfake_lightning.monitoring.review import ReviewPolicy, give_opinion, media_folder
from deepfake_lightning.monitoring.review import keeping as keeping_module
from deepfake_lightning.monitoring.review.keeping import MediaKeeper
from deepfake_lightning.monitoring.review.media_files import (
    media_in,
    remove_media,
    remove_orphans,
    suffix_of,
)
from deepfake_lightning.monitoring.review.media_room import MediaRoom
from deepfake_lightning.storage import Workspace

NOON, DAY = 1_700_049_600_000_000, 86_400_000_000
JPEG = b"\xff\xd8\xff\xe0" + 1000 * b"x"


@contextmanager
def keeping(log, folder, policy=None, **more):
    keeper = MediaKeeper(log, folder, policy or ReviewPolicy(second_opinion=0),
                         written=lambda: True, clock=lambda: NOON, **more)  # fmt: skip
    try:
        yield keeper
    finally:
        keeper.close()


def soon(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_what_was_drawn_is_kept_for_this_user_alone(quick, fill, tmp_path):
    first, second = fill(quick, 2)
    folder, spooled = tmp_path / "media", tmp_path / "spooled"
    spooled.write_bytes(b"\0\0\0\x18ftypmp42" + JPEG)
    with keeping(quick, folder) as keeper:
        assert keeper.put(first, JPEG, len(JPEG))
        assert keeper.put(second, spooled, spooled.stat().st_size)
    assert {path.name for path in folder.iterdir()} == {f"{first}.jpg", f"{second}.mp4"}
    assert (folder / f"{first}.jpg").read_bytes() == JPEG
    assert not spooled.exists()
    assert (folder / f"{first}.jpg").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert keeper.lost == 0


def test_it_waits_for_the_row_and_keeps_nothing_without_one(quick, fill, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping_module, "_LATE_SECONDS", 0.2)
    folder, lost, name = tmp_path / "media", [], new_request_id(NOON)
    with keeping(quick, folder, on_lost=lost.append) as keeper:
        keeper.put(name, JPEG, len(JPEG))
        assert soon(lambda: lost == [1])
    assert not media_in(folder)


def test_an_erasure_that_comes_first_wins(quick, fill, tmp_path):
    """The row is gone after the keeper has seen it, and before the file is there."""
    name, folder = fill(quick, 1)[0], tmp_path / "media"
    seen, erased = threading.Event(), threading.Event()
    with keeping(quick, folder) as keeper:
        copy = keeper._copy

        def slow(media):
            seen.set()
            assert erased.wait(10)
            copy(media)

        keeper._copy = slow
        keeper.put(name, JPEG, len(JPEG))
        assert seen.wait(10)
        assert quick.erase(name)
        keeper.erase(name)
        erased.set()
    assert not media_in(folder)


def test_an_erasure_takes_what_waits_and_what_is_kept(quick, fill, tmp_path):
    name, folder = fill(quick, 1)[0], tmp_path / "media"
    waits = tmp_path / "spooled"
    waits.write_bytes(JPEG)
    with keeping(quick, folder) as keeper:
        keeper.put(new_request_id(NOON), waits, len(JPEG))
        (other,) = keeper._waiting
        keeper.put(name, JPEG, len(JPEG))
        assert soon(lambda: name in media_in(folder))
        assert keeper.erase(name)
        assert keeper.erase(other)
        assert not keeper.erase(name)
    assert not media_in(folder)
    assert not waits.exists()


def test_a_full_folder_gives_up_the_oldest_that_were_reviewed(quick, fill, tmp_path):
    names, folder, lost = fill(quick, 5), tmp_path / "media", []
    policy = ReviewPolicy(media_mb=0.0033, second_opinion=0)
    for name in names[1:3]:
        give_opinion(quick, name, label=1, by="ada", now_us=NOON, policy=policy)
    with keeping(quick, folder, policy, on_lost=lost.append) as keeper:
        for name in names[:3]:
            keeper.put(name, JPEG, len(JPEG))
            assert soon(lambda name=name: name in media_in(folder))
        keeper.put(names[3], JPEG, len(JPEG))
        assert soon(lambda: names[3] in media_in(folder))
        assert media_in(folder).keys() == {names[0], names[2], names[3]}
        keeper.put(names[4], b"\xff\xd8" + 4000 * b"x", 4002)
        assert soon(lambda: lost == [1])
    # What is too large for the folder takes nothing away.
    assert media_in(folder).keys() == {names[0], names[2], names[3]}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3300


def test_what_does_not_fit_the_queue_is_counted(quick, fill, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping_module, "_MOST_BYTES", 1500)
    names, lost = fill(quick, 2), []
    with keeping(quick, tmp_path / "media", on_lost=lost.append) as keeper:
        keeper._room = None  # nothing is written meanwhile
        assert keeper.put(names[0], JPEG, len(JPEG))
        assert not keeper.put(names[1], JPEG, len(JPEG))
        assert lost == [1]


def test_a_disk_that_takes_nothing_ends_nothing(quick, fill, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping_module, "_PAUSE_SECONDS", 0.1)
    name, folder = fill(quick, 1)[0], tmp_path / "media"
    folder.write_bytes(b"in the way")
    with keeping(quick, folder) as keeper:
        keeper.put(name, JPEG, len(JPEG))
        assert soon(lambda: keeper._fault is not None)
        folder.unlink()
        assert soon(lambda: folder.is_dir() and name in media_in(folder))
        assert soon(lambda: keeper._fault is None)


def test_what_is_too_old_or_nobody_s_is_swept_away(quick, fill, tmp_path):
    names, folder = fill(quick, 2), tmp_path / "media"
    folder.mkdir()
    pruned = new_request_id(NOON)
    for name in (*names, pruned):
        (folder / f"{name}.jpg").write_bytes(JPEG)
    (folder / f".{pruned}.jpg.x.unfinished").write_bytes(JPEG)
    os.utime(folder / f".{pruned}.jpg.x.unfinished", (0, 0))
    room = MediaRoom(quick, folder, ReviewPolicy(media_days=30))
    assert room.sweep(NOON + 29 * DAY) == 1
    assert {path.name for path in folder.iterdir()} == {f"{name}.jpg" for name in names}
    assert room.sweep(NOON + 31 * DAY) == 2


def test_orphans_of_one_log_are_not_those_of_another(quick, fill, tmp_path):
    workspace = Workspace(tmp_path / "mlops")
    with PredictionLog(workspace.monitoring / "predictions.db") as usual:
        assert media_folder(workspace, usual) == workspace.monitoring / "media"
        assert media_folder(Workspace(Path(os.path.relpath(workspace.root))), usual).name == "media"
        assert media_folder(workspace, quick) != workspace.monitoring / "media"
        name = fill(quick, 1)[0]
        folder = media_folder(workspace, quick)
        folder.mkdir()
        (folder / f"{name}.jpg").write_bytes(JPEG)
        assert remove_orphans(usual, media_folder(workspace, usual)) == 0
        assert media_in(folder).keys() == {name}


@pytest.mark.parametrize("name", ["*", "../x", "a*", "", "[a-z]"])
def test_an_id_that_could_match_other_files_removes_none(tmp_path, name):
    (tmp_path / "abc.jpg").write_bytes(JPEG)
    assert remove_media(tmp_path, [name]) == 0
    assert remove_media(tmp_path, ["abc"]) == 1


@pytest.mark.parametrize(
    ("head", "suffix"),
    [(b"\x89PNG\r\n\x1a\n", "png"), (b"RIFF1234AVI LIST", "avi"), (b"RIFF1234WAVE", "media"),
     (b"\0\0\0\x14ftypqt  ", "mov"), (b"\x1aE\xdf\xa3", "mkv"), (b"../../x", "media")],
)  # fmt: skip
def test_the_suffix_is_that_of_the_first_bytes(head, suffix):
    assert suffix_of(head) == suffix
