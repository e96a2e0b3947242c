"""Jobs are done by a real runner, in real processes, on real clips and a real detector."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from pebble.pool.process import PoolManager

from deepfake_lightning.inference import Engine, open_engine
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.media import Limits, read_image
from deepfake_lightning.serving.confining import MEMORY
from deepfake_lightning.serving.jobs import JOB_LIMITS, JobStore, worker
from deepfake_lightning.serving.jobs.desk import JobDesk
from deepfake_lightning.serving.results import result_of


def worker_of(upload: Path) -> int | None:
    """Return the id of the process that has a file open."""
    for process in Path("/proc").iterdir():
        try:
            opened = [each.readlink() for each in (process / "fd").iterdir()]
        except OSError:
            continue
        if process.name.isdigit() and upload in opened:
            return int(process.name)
    return None


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_from_its_beginning_to_its_end(
    store, submit, start, told, wait_for, long_clip, thorough_bundle
):
    job = submit(long_clip, environment="production")
    start()
    shares, left = [], []

    def ended():
        found = store.find(job.id)
        shares.append(found.share)
        left.append(found.seconds_left)
        return found if found.state == "done" else None

    done = wait_for(ended)
    assert shares == sorted(shares)
    assert len({share for share in shares if 0 < share < 1}) >= 2  # it was seen to grow
    assert any(seconds is not None and 0 < seconds < 120 for seconds in left)
    assert (done.frames, done.frames_to_do) == (500, 500)
    assert (done.attempts, done.error, done.started_us >= done.created_us) == (1, None, True)
    engine = open_engine(thorough_bundle)
    alone = result_of(job.id, engine.assess(long_clip), engine.calibration, "production")
    timed = {"milliseconds": {}}
    assert done.result | timed == json.loads(json.dumps(alone | timed))  # as without a job
    assert done.result["examined"]["frames"] == 500
    wait_for(lambda: told.jobs)
    assert told.jobs[0][0] == done
    assert told.jobs[0][1].assessment.logit == done.result["logit"]
    assert not store.files.upload(job.id).exists()


def test_cancelling_stops_the_process_and_the_next_job_is_done(
    store, submit, start, told, wait_for, long_clip, short_clip
):
    job, following = submit(long_clip), submit(short_clip)
    start()
    process = wait_for(lambda: worker_of(store.files.upload(job.id)))
    assert os.getpriority(os.PRIO_PROCESS, process) == 10  # it yields to what answers requests
    assert store.cancel(job.id)
    began = time.monotonic()
    wait_for(lambda: not is_alive(process), 5)
    assert time.monotonic() - began < 2
    assert wait_for(lambda: store.find(following.id).state == "done")
    assert (store.find(job.id).state, store.find(job.id).result) == ("cancelled", None)
    assert not any((store.folder / "uploads").iterdir())
    assert [each.id for each, _ in told.jobs] in ([], [following.id])


def test_erasing_a_job_that_runs_stops_it(store, submit, start, told, wait_for, long_clip):
    job = submit(long_clip, overlay=True)
    start()
    process = wait_for(lambda: worker_of(store.files.upload(job.id)))
    assert store.erase(job.id)
    wait_for(lambda: not is_alive(process), 5)
    time.sleep(0.5)
    assert (store.find(job.id), told.jobs) == (None, [])
    assert not any((store.folder / "uploads").iterdir())
    assert not any((store.folder / "overlays").iterdir())


def test_a_picture_is_drawn_where_it_is_asked_for(store, submit, start, wait_for, short_clip):
    jobs = [submit(short_clip, overlay=True), submit(short_clip)]
    start()
    wait_for(lambda: all(store.find(job.id).state == "done" for job in jobs))
    assert read_image(store.files.overlay(jobs[0].id)).shape[2] == 3
    assert not store.files.overlay(jobs[1].id).exists()
    store.erase(jobs[0].id)
    assert not store.files.overlay(jobs[0].id).exists()


def test_what_is_no_video_fails_and_says_nothing_of_this_machine(
    store, submit, start, told, wait_for, portrait_clips
):
    job = submit(portrait_clips / "real" / "broken.mp4", media_type="video")
    start()
    failed = wait_for(lambda: (found := store.find(job.id)).error and found)
    assert (failed.state, failed.error.code) == ("failed", "unreadable")
    assert failed.error.message.startswith("the upload")
    assert str(store.folder) not in failed.error.message
    wait_for(lambda: told.jobs)
    assert told.jobs[0][1].assessment.status == "unreadable"
    assert not any((store.folder / "uploads").iterdir())


def test_no_face_is_a_result(store, submit, start, wait_for, portrait_clips):
    job = submit(portrait_clips / "real" / "none.mp4")
    start()
    done = wait_for(lambda: (found := store.find(job.id)).state == "done" and found)
    assert (done.result["status"], done.result["verdict"]) == ("no_face", "not_assessable")


def test_a_video_over_a_limit_is_refused_before_it_is_decoded(
    store, submit, start, wait_for, short_clip
):
    job = submit(short_clip)
    start(limits=Limits(JOB_LIMITS.bytes, JOB_LIMITS.pixels, 0.5, JOB_LIMITS.frames))
    failed = wait_for(lambda: (found := store.find(job.id)).error and found)
    assert failed.error.code == "unreadable"
    assert "limit" in failed.error.message


@pytest.mark.parametrize("pixels", [2303, 2304])
def test_a_picture_has_as_many_pixels_as_one_that_is_answered_at_once(
    store, submit, start, wait_for, write_picture, tmp_path, pixels
):
    job = submit(write_picture(tmp_path / "a.png"), media_type="image")
    start(max_pixels=pixels)
    ended = wait_for(lambda: (found := store.find(job.id)).finished_us and found)
    assert ended.state == ("done" if pixels == 2304 else "failed")
    if pixels < 2304:
        assert ended.error.code == "unreadable"
        assert "claims 48 x 48 pixels, more than the limit of 2,303" in ended.error.message


def test_the_process_leaves_nothing_behind_and_takes_no_more_than_it_may(
    store, submit, start, wait_for, long_clip
):
    job = submit(long_clip)
    start()
    process = wait_for(lambda: worker_of(store.files.upload(job.id)))
    limits = Path(f"/proc/{process}/limits").read_text()
    found = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert found["Max core file size"] == ["0", "0"]
    assert found["Max address space"] == [str(MEMORY)] * 2
    assert Path(f"/proc/{process}/fd/2").readlink() == Path(os.devnull)


def test_what_takes_too_much_memory_is_a_fault_of_the_upload(
    thorough_bundle, short_clip, monkeypatch
):
    def assess(*args, **more):
        raise MemoryError

    monkeypatch.setattr(Engine, "assess", assess)
    source = EngineSource(bundle=thorough_bundle)
    work = worker.Work(source, short_clip, "video", None, None, JOB_LIMITS, 600)
    found = worker.assess_upload(work).assessment
    assert (found.status, found.reason) == ("unreadable", "it takes more memory than a file may")


def test_a_job_that_takes_too_long_is_stopped(store, submit, start, wait_for, long_clip):
    job = submit(long_clip)
    start(seconds=1.0)
    process = wait_for(lambda: worker_of(store.files.upload(job.id)))
    failed = wait_for(lambda: (found := store.find(job.id)).error and found)
    assert (failed.error.code, failed.attempts) == ("timeout", 1)
    wait_for(lambda: not is_alive(process), 5)


def test_a_detector_that_is_gone_fails_the_job(store, submit, start, wait_for, short_clip):
    jobs = [submit(short_clip, digest="cd" * 32), submit(short_clip, bundle="/nowhere")]
    start()
    wait_for(lambda: all(store.find(job.id).state == "failed" for job in jobs))
    assert [store.find(job.id).error.code for job in jobs] == ["version", "version"]
    assert "nowhere" not in store.find(jobs[1].id).error.message


@pytest.mark.slow
def test_a_process_that_dies_is_tried_three_times_and_others_come_between(
    store, submit, start, told, wait_for, long_clip, short_clip
):
    job, neighbour = submit(long_clip), submit(short_clip)
    start()
    killed = set()
    while store.find(job.id).state in ("queued", "running"):
        process = worker_of(store.files.upload(job.id))
        if process is not None and process not in killed:
            killed.add(process)
            os.kill(process, signal.SIGSEGV)
        time.sleep(0.02)
    failed = store.find(job.id)
    assert (failed.error.code, failed.attempts, len(killed)) == ("crashed", 3, 3)
    wait_for(lambda: len(told.jobs) == 2)
    assert [(each.id, found is None) for each, found in told.jobs] == [
        (neighbour.id, False), (job.id, True)
    ]  # fmt: skip
    assert not any((store.folder / "uploads").iterdir())


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_process_that_dies_before_it_begins_leaves_the_job_to_the_next_one(
    store, submit, start, told, wait_for, short_clip, monkeypatch, is_noted
):
    """Whether the pool has noted the job, and gives it up, or has not, and forgets it."""
    taken = PoolManager.schedule

    def dying(manager, task):
        monkeypatch.setattr(PoolManager, "schedule", taken)
        for process in manager.worker_manager.workers.values():
            os.kill(process.pid, signal.SIGKILL)
        if is_noted:
            manager.task_manager.register(task)
        time.sleep(1)
        if not is_noted:
            taken(manager, task)

    monkeypatch.setattr(PoolManager, "schedule", dying)
    job = submit(short_clip)
    start()
    done = wait_for(lambda: found if (found := store.find(job.id)).state == "done" else None)
    assert (done.attempts, done.error) == (2, None)


def test_a_process_that_was_told_to_end_is_not_counted(store, submit, start, wait_for, long_clip):
    job = submit(long_clip)
    start()
    process = wait_for(lambda: worker_of(store.files.upload(job.id)))
    os.kill(process, signal.SIGTERM)
    again = lambda: worker_of(store.files.upload(job.id))  # noqa: E731
    process = wait_for(lambda: again() if again() != process else None)
    assert store.find(job.id).attempts == 1
    os.kill(process, signal.SIGTERM)  # a second time, as who watches over the memory may
    wait_for(lambda: again() not in (None, process))
    assert store.find(job.id).attempts == 2


def test_a_stop_lets_a_job_end_that_is_nearly_done(store, submit, start, wait_for, short_clip):
    job = submit(short_clip)
    runner = start()
    wait_for(lambda: store.find(job.id).state == "running")
    runner.stop(grace=60)
    assert store.find(job.id).state == "done"


def test_a_stop_puts_a_long_job_back_and_a_start_goes_on(
    store, submit, start, told, wait_for, long_clip
):
    job = submit(long_clip)
    runner = start()
    process = wait_for(lambda: worker_of(store.files.upload(job.id)))
    began = time.monotonic()
    runner.stop(grace=0.5)
    assert time.monotonic() - began < 5
    waiting = store.find(job.id)
    assert (waiting.state, waiting.attempts, waiting.share) == ("queued", 0, 0)
    assert not is_alive(process)
    start()
    wait_for(lambda: worker_of(store.files.upload(job.id)))
    assert (store.find(job.id).attempts, told.jobs) == (1, [])


@pytest.mark.slow
def test_of_two_runners_one_works_and_the_other_takes_over(
    store, submit, start, told, wait_for, short_clip
):
    with JobStore(store.folder) as other:
        first = start()
        wait_for(lambda: first.leads)
        second = start(other)
        jobs = [submit(short_clip) for _ in range(3)]
        wait_for(lambda: len(told.jobs) == 3)
        assert (first.leads, second.leads) == (True, False)
        first.stop(grace=0)
        began = time.monotonic()
        wait_for(lambda: second.leads, 10)
        assert time.monotonic() - began < 3
        jobs.append(submit(short_clip))
        second.nudge()
        wait_for(lambda: len(told.jobs) == 4)
        second.stop(grace=0)
    assert sorted(job.id for job, _ in told.jobs) == sorted(job.id for job in jobs)


def test_a_database_that_fails_does_not_end_the_runner(
    store, submit, start, wait_for, short_clip, caplog, monkeypatch
):
    monkeypatch.setattr("deepfake_lightning.serving.jobs.runner._AFTER_FAULT_SECONDS", 0.2)
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs RENAME TO away")
    runner = start()
    wait_for(lambda: "jobs wait" in caplog.text)
    time.sleep(0.6)
    assert caplog.text.count("jobs wait: ") == 1  # once, however often
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO jobs")
    job = submit(short_clip)
    wait_for(lambda: store.find(job.id).state == "done")
    assert runner.leads


def test_telling_that_fails_does_not_end_the_runner(
    store, submit, start, told, wait_for, short_clip, caplog, monkeypatch
):
    monkeypatch.setattr(type(told), "__call__", lambda self, job, found: 1 / 0)
    jobs = [submit(short_clip), submit(short_clip)]
    start()
    wait_for(lambda: all(store.find(job.id).state == "done" for job in jobs))
    assert "ZeroDivisionError" in caplog.text


def test_results_go_when_their_time_is_over(tmp_path, make_order, clock):
    with JobStore(tmp_path / "other", keep_seconds=1, clock=clock) as store:
        spooled = tmp_path / "spooled"
        spooled.write_bytes(b"")
        job = store.submit(make_order(), spooled)
        store.cancel(job.id)
        clock.pass_seconds(2)
        JobDesk(store).tidy()
        assert store.count() == {}
