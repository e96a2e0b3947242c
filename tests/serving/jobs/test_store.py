"""Jobs on disk: what is accepted is kept, what is over is gone."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path

import pytest

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.serving.jobs import JobError, JobStore, QueueFull
from deepfake_lightning.serving.jobs.desk import JobDesk

FOUND = {"status": "ok", "score": 0.8, "name": "the result"}


@pytest.fixture
def send(store, tmp_path, make_order):
    """Return a function that accepts a small file as a job in a store."""

    def accept(to=store, content=b"a video", **more):
        spooled = tmp_path / "spooled"
        spooled.write_bytes(content)
        return to.submit(make_order(**more), spooled)

    return accept


def files_of(store: JobStore) -> set[str]:
    folders = (store.folder / "uploads", store.folder / "overlays")
    return {path.name for folder in folders for path in folder.iterdir()}


def test_what_is_accepted_is_there_for_all_processes(store, send, tmp_path):
    job = send(client="desk", experiment="e1", variant="b", already_cropped=True, overlay=True)
    assert (job.state, job.bytes, job.client) == ("queued", 7, "desk")
    assert not (tmp_path / "spooled").exists()
    assert store.files.upload(job.id).read_bytes() == b"a video"
    with JobStore(store.folder) as other:
        assert other.find(job.id) == job


def test_uploads_and_what_is_known_of_jobs_are_private(store, send):
    send()
    assert (store.folder / "uploads").stat().st_mode & 0o077 == 0
    kept = list(store.folder.glob("jobs.db*"))
    assert {path.name for path in kept} >= {"jobs.db", "jobs.db-wal"}
    private = [path for path in kept if not path.name.endswith(".lock")]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_one_client_leaves_room_for_another(tmp_path, send):
    with JobStore(tmp_path / "small", limit=8) as small:
        for _ in range(6):
            small.check_room("news")
            send(small, client="news")
        with pytest.raises(QueueFull, match="6 jobs of news wait"):
            small.check_room("news")
        small.check_room("desk")
        small.check_room()  # one of whom there are no others
        JobDesk(small).claim()
        small.check_room("news")


def test_a_full_queue_is_refused_and_leaves_nothing(tmp_path, send, clock):
    with JobStore(tmp_path / "small", limit=2, clock=clock) as small:
        desk = JobDesk(small)
        first, _ = send(small), send(small)
        desk.claim()
        send(small)
        with pytest.raises(QueueFull) as refused:
            small.check_room()
        assert refused.value.retry_seconds == 60  # nothing is known of how long jobs take
        clock.pass_seconds(300)
        desk.finish(first, FOUND)
        with pytest.raises(QueueFull, match="2 jobs wait") as refused:
            send(small)  # a second body that was sent at the same time
        assert refused.value.retry_seconds == 300
        assert not (tmp_path / "spooled").exists()
        assert len(files_of(small)) == 2
        desk.claim()
        small.check_room()


def test_uploads_that_wait_are_bounded_together(tmp_path, send, clock):
    with JobStore(tmp_path / "small", limit_bytes=20, clock=clock) as small:
        send(small, bytes(12))
        with pytest.raises(QueueFull, match="20 bytes"):
            send(small, bytes(9))
        send(small, bytes(8))
        with pytest.raises(QueueFull, match="20 bytes"):
            small.check_room()
        assert len(files_of(small)) == 2


def test_jobs_are_done_in_the_order_they_came_and_one_that_crashes_goes_last(store, send):
    desk = JobDesk(store)
    ids = [send().id for _ in range(3)]
    assert [store.ahead(each) for each in ids] == [0, 1, 2]
    first = desk.claim()
    assert first.id == ids[0]
    desk.crashed(first)
    assert [desk.claim().id for _ in range(3)] == [ids[1], ids[2], ids[0]]
    assert desk.claim() is None


def test_what_was_put_back_keeps_its_place_and_its_attempts(store, send):
    desk = JobDesk(store)
    first, _ = send(), send()
    desk.note(desk.claim(), 3, 10)
    desk.put_back(store.find(first.id))
    assert store.find(first.id) == first
    assert desk.claim().id == first.id


def test_a_third_crash_is_the_last(store, send):
    desk = JobDesk(store)
    job = send()
    assert desk.crashed(desk.claim()) is None
    assert desk.crashed(desk.claim()) is None
    failed = desk.crashed(desk.claim())
    assert (failed.state, failed.error.code, failed.attempts) == ("failed", "crashed", 3)
    assert store.find(job.id) == failed
    assert files_of(store) == set()


def test_a_killed_runners_jobs_wait_again(store, send):
    job = send()
    JobDesk(store).claim()
    assert JobDesk(store).take_up_lost() == []
    again = store.find(job.id)
    assert (again.state, again.attempts) == ("queued", 1)


def test_a_result_that_comes_after_the_cancelling_changes_nothing(store, send):
    desk = JobDesk(store)
    job = send()
    begun = desk.claim()
    assert store.cancel(job.id)
    store.files.overlay(job.id).write_bytes(b"drawn in the meantime")
    assert desk.finish(begun, FOUND) is None
    assert desk.fail(begun, JobError("timeout", "", "")) is None
    assert (store.find(job.id).state, store.find(job.id).result) == ("cancelled", None)
    assert files_of(store) == set()
    assert not store.cancel(job.id)


def test_a_result_is_kept_for_its_time_and_its_upload_not_at_all(tmp_path, send, clock):
    with JobStore(tmp_path / "j", keep_seconds=100, clock=clock) as store:
        desk = JobDesk(store)
        job = send(store)
        store.files.overlay(job.id).write_bytes(b"a picture")
        desk.finish(desk.claim(), FOUND)
        assert files_of(store) == {f"{job.id}.jpg"}
        clock.pass_seconds(99)
        desk.tidy()
        assert store.find(job.id).result == FOUND
        clock.pass_seconds(1)
        assert store.find(job.id) is None  # also before anyone tidies
        assert store.newest() == []
        assert desk.tidy() == []
        assert store.count() == {}
        assert files_of(store) == set()


def test_erasing_leaves_no_byte(store, send):
    desk = JobDesk(store)
    job = send(content=b"the picture of a person", client="someone-in-particular")
    store.files.overlay(job.id).write_bytes(b"the face of a person")
    desk.finish(desk.claim(), FOUND)
    assert any(job.id.encode() in path.read_bytes() for path in store.folder.glob("jobs.db*"))
    assert store.erase(job.id)
    kept = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    for secret in (job.id.encode(), b"someone-in-particular", b"person", b"the result"):
        assert secret not in kept
    assert store.find(job.id) is None
    assert not store.erase(job.id)


def test_each_client_sees_its_newest_without_results(store, send):
    desk = JobDesk(store)
    mine = [send(client="me").id for _ in range(3)]
    send(client="other")
    desk.finish(desk.claim(), FOUND)
    listed = store.newest("me", 2)
    assert [job.id for job in listed] == [mine[2], mine[1]]
    assert [job.result for job in store.newest("me")] == [None] * 3
    assert len(store.newest()) == 4


def test_leftovers_of_a_killed_process_are_put_right(store, send, tmp_path):
    desk = JobDesk(store)
    kept, finished, lost = send(), send(), send()
    desk.claim()
    desk.finish(store.find(finished.id), FOUND)
    uploads = store.folder / "uploads"
    (uploads / finished.id).write_bytes(b"it was killed before it removed this")
    (uploads / "abc").write_bytes(b"it was killed before it wrote the row")
    (store.folder / "overlays" / "abd.jpg").write_bytes(b"likewise")
    (uploads / lost.id).unlink()  # someone cleans up by hand
    failed = desk.tidy()
    assert [(job.id, job.error.code) for job in failed] == [(lost.id, "lost")]
    assert files_of(store) == {kept.id}


def test_a_file_that_is_just_taken_in_is_left_alone(store):
    path = store.folder / "uploads" / "abc"
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        JobDesk(store).tidy()
        assert path.exists()
    JobDesk(store).tidy()
    assert not path.exists()


def test_a_file_that_cannot_be_moved_is_no_job(store, make_order, tmp_path):
    with pytest.raises(StorageError, match="could not be written"):
        store.submit(make_order(), tmp_path / "nothing-here")
    assert store.count() == {}


def test_an_id_is_used_once_and_is_a_plain_name(store, send, tmp_path):
    job = send()
    with pytest.raises(StorageError, match="already"):
        send(id=job.id)
    assert store.files.upload(job.id).read_bytes() == b"a video"
    for odd in ("../../x", "", "a/b", "a\n"):
        with pytest.raises(ValueError, match="cannot be the id"):
            send(id=odd)


def test_jobs_of_a_newer_version_are_refused(tmp_path):
    JobStore(tmp_path).close()
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        connection.execute("PRAGMA user_version=2")
    with pytest.raises(UsageError, match="newer version"):
        JobStore(tmp_path)


def test_a_database_that_fails_is_a_typed_error_without_what_was_sent(store, send):
    with sqlite3.connect(store.file) as connection:
        connection.execute("DROP TABLE jobs")
    with pytest.raises(StorageError, match=r"jobs\.db") as failed:
        send(client="someone")
    assert "someone" not in str(failed.value)
    assert files_of(store) == set()


def test_the_store_cannot_be_made(tmp_path):
    Path(tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        JobStore(tmp_path / "file")
