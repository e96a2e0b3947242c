"""Whole or not at all, both ways."""

from __future__ import annotations

import threading

import pytest

from deepfake_lightning.errors import DataError, StorageError, UsageError
from deepfake_lightning.object_storage import open_place, pull, push, pushing, read_list

MARK = "data.list"


@pytest.fixture
def pushed(place, folder, listed):
    files = listed(folder)
    push(place, MARK, files, lambda one: folder / one.path)
    return files


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}  # fmt: skip


def cut(monkeypatch, place, method, after, error=ConnectionError):
    """Let a storage fail for good after some calls; return the list of those that came through."""
    real, calls, guard = getattr(place.system, method), [], threading.Lock()

    def failing(path, *args, **more):
        with guard:
            if len(calls) >= after:
                raise error("the wire is cut")
            calls.append(path)
        return real(path, *args, **more)

    monkeypatch.setattr(place.system, method, failing)
    return calls


def test_a_folder_comes_back_as_it_was(place, folder, pushed, tmp_path):
    told = []
    there = tmp_path / "there"
    files = read_list(place, MARK, "data")
    assert pull(place, files, there, progress=lambda *a: told.append(a)) == 30
    assert contents(there) == contents(folder)
    assert told[-1] == ("fetching", pushed.bytes, pushed.bytes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "there"]
    assert pull(place, pushed, there) == 0  # it is there


def test_what_is_there_is_not_sent_again(place, folder, pushed, listed):
    again = push(place, MARK, pushed, lambda one: folder / one.path)
    assert (again.sent, again.was_there) == (0, True)
    (folder / "crops/clip0/000.jpg").write_bytes(b"new")
    (folder / "more.jpg").write_bytes(b"more")
    files = listed(folder)
    with pytest.raises(UsageError, match="has another data set already"):
        push(place, MARK, files, lambda one: folder / one.path)
    assert read_list(place, MARK, "data") == pushed
    made = push(place, MARK, files, lambda one: folder / one.path, replace=True)
    assert (made.sent, made.sent_bytes) == (2, 7)
    assert read_list(place, MARK, "data") == files


@pytest.mark.usefixtures("no_waits")
def test_an_interrupted_push_is_not_seen_and_goes_on(place, folder, listed, monkeypatch):
    files = listed(folder)
    with monkeypatch.context() as patch:
        came = cut(patch, place, "pipe_file", 11)
        with pytest.raises(StorageError, match="the wire is cut"):
            push(place, MARK, files, lambda one: folder / one.path)
    with pytest.raises(UsageError, match="there is no data set"):
        read_list(place, MARK, "data")
    different = len({one.sha256 for one in files.items})
    made = push(place, MARK, files, lambda one: folder / one.path)
    assert (made.sent, different) == (different - len(came), 29)
    assert read_list(place, MARK, "data") == files


@pytest.mark.usefixtures("no_waits")
def test_an_interrupted_pull_leaves_nothing_and_goes_on(
    place, pushed, folder, tmp_path, monkeypatch
):
    there = tmp_path / "there"
    with monkeypatch.context() as patch:
        came = cut(patch, place, "cat_file", 11)
        with pytest.raises(StorageError, match="the wire is cut"):
            pull(place, pushed, there)
    assert not there.exists()
    (aside,) = (path for path in tmp_path.iterdir() if path.name.startswith(".there.pulling"))
    torn = next(path for path in sorted((aside / "files").rglob("*.jpg")))
    torn.write_bytes(torn.read_bytes()[:-1] + b"?")  # as after a power cut
    empty = 1 if (aside / "files/empty.csv").is_file() else 0
    assert pull(place, pushed, there) == 30 - len(came) - empty + 1
    assert contents(there) == contents(folder)
    assert not aside.exists()


@pytest.mark.usefixtures("no_waits")
def test_faults_that_pass_are_no_faults(place, folder, listed, tmp_path, monkeypatch):
    files, calls = listed(folder), []
    for method in ("pipe_file", "cat_file"):
        real = getattr(place.system, method)

        def shaky(*args, _real=real, **more):
            calls.append(1)
            if len(calls) % 5 == 0:
                raise ConnectionResetError
            return _real(*args, **more)

        monkeypatch.setattr(place.system, method, shaky)
    push(place, MARK, files, lambda one: folder / one.path)
    pull(place, read_list(place, MARK, "data"), tmp_path / "there")
    assert contents(tmp_path / "there") == contents(folder)
    assert len(calls) > 70


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("damage", "said"),
    [(lambda data: data[:-1], "shorter"), (lambda data: b"?" + data[1:], "SHA-256"),
     (None, "it is gone")],
)  # fmt: skip
def test_an_object_that_is_not_what_it_was_is_refused(
    place, pushed, folder, tmp_path, damage, said
):
    one = next(one for one in pushed.items if one.path.endswith("007.jpg"))
    path = place.path(one.object_name)
    if damage is None:
        place.system.rm_file(path)
    else:
        place.system.pipe_file(path, damage(place.system.cat_file(path)))
    with pytest.raises(DataError, match=rf"007.jpg(.|\n)*{said}(.|\n)*--resend true"):
        pull(place, pushed, tmp_path / "there")
    assert not (tmp_path / "there").exists()
    push(place, MARK, pushed, lambda one: folder / one.path, resend=True)
    pull(place, pushed, tmp_path / "there")


def test_a_longer_object_is_not_read_to_its_end(place, pushed, folder, tmp_path):
    one = pushed.items[0]
    path = place.path(one.object_name)
    place.system.pipe_file(path, place.system.cat_file(path) + b"x" * 1000)
    pull(place, pushed, tmp_path / "there")
    assert contents(tmp_path / "there") == contents(folder)


def test_a_file_that_changes_while_it_is_sent_is_refused(place, folder, listed):
    files = listed(folder)
    (folder / "crops/clip3/027.jpg").write_bytes(b"other")
    with pytest.raises(DataError, match=r"027.jpg has changed while it was sent"):
        push(place, MARK, files, lambda one: folder / one.path)
    with pytest.raises(UsageError, match="there is no data set"):
        read_list(place, MARK, "data")


def test_large_files_go_in_pieces(place, folder, listed, tmp_path, monkeypatch):
    monkeypatch.setattr(pushing, "_IN_ONE_PIECE", 100)
    (folder / "clip.mp4").write_bytes(bytes(range(256)) * 3)
    files = listed(folder)
    push(place, MARK, files, lambda one: folder / one.path)
    pull(place, files, tmp_path / "there")
    assert contents(tmp_path / "there") == contents(folder)
    (folder / "clip.mp4").write_bytes(b"?" * 768)
    with pytest.raises(DataError, match=r"clip.mp4 has changed while it was sent"):
        push(place, MARK, files, lambda one: folder / one.path, resend=True)


def test_of_two_writers_one_is_told(place, folder, listed, monkeypatch):
    """Another one writes its list between this one's look and its own list."""
    files = listed(folder)
    (folder / "empty.csv").write_text("theirs")
    theirs = listed(folder)
    (folder / "empty.csv").write_text("")
    real = place.system.pipe_file

    def late(path, data, **more):
        if path.endswith(MARK):
            real(path, theirs.data)
        return real(path, data, **more)

    monkeypatch.setattr(place.system, "pipe_file", late)
    with pytest.raises(UsageError, match="has another data set already"):
        push(place, MARK, files, lambda one: folder / one.path)
    assert read_list(place, MARK, "data") == theirs


def test_a_pull_replaces_nothing(place, pushed, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        pull(place, pushed, there)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    with pytest.raises(UsageError, match="holds something else"):
        pull(place, pushed, link)
    assert list(elsewhere.iterdir()) == []
    (there / "mine.txt").unlink()
    assert pull(place, pushed, there) == 30  # an empty folder is as good as none


def test_what_the_caller_refuses_is_not_put_in_place(place, pushed, tmp_path):
    def refuse(folder):
        raise DataError(f"{len(contents(folder))} files")

    with pytest.raises(DataError, match="30 files"):
        pull(place, pushed, tmp_path / "there", check=refuse)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [("faces", "is no address"), ("file:///tmp/x", "no object storage"), ("s3:///x", "no bucket"),
     ("s3://AKIA:abc/hunter2+gh@bucket/faces", "holds a user or a key"),
     ("me:hunter2@bucket", "holds a user or a key"),
     ("s3://me:hunter2@bucket/x", "holds a user or a key"), ("nope://b/x", "no storage that is"),
     ("simplecache::s3://bucket/x", "is no address"), ("s3://b/x?versionId=1", "is no address")],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused(address, said):
    with pytest.raises(UsageError, match=said) as caught:
        open_place(address)
    assert "hunter2" not in str(caught.value)
