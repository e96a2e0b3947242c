"""A server that is killed at any moment loses no job that it accepted, and does none twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deepfake_lightning.serving.jobs import JobStore

SCRIPT = Path(__file__).with_name("server_like.py")


@contextmanager
def server(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def finished(store: JobStore, accepted: set[str]) -> bool:
    return all((job := store.find(each)) and job.state == "done" for each in accepted)


def killed_and_taken_up(folder: Path, bundle: Path, clip: Path, after: float, start, wait_for):
    """Kill a server so many seconds after it began to accept; return how many jobs it had."""
    with server(folder, bundle, clip, 8) as process:
        time.sleep(after)
        process.kill()
        said = process.stdout.read()
    accepted = {line for line in said.split("\n")[:-1] if line}  # a torn line was not seen whole
    with JobStore(folder, limit=1000) as store:
        runner = start(store)
        wait_for(lambda: finished(store, accepted) and not store.count().get("queued"), 120)
        runner.stop()
        found = store.newest(count=1000)
        # One more may have been accepted whose answer the kill has cut off.
        assert accepted <= {job.id for job in found}
        assert len(found) <= len(accepted) + 1
        assert {job.state for job in found} <= {"done"}
        assert max([job.attempts for job in found], default=1) <= 2
        assert not any((folder / "uploads").iterdir())
    return len(accepted)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.15, 6.0])
def test_a_kill_loses_nothing(tmp_path, thorough_bundle, short_clip, start, told, wait_for, after):
    folder = tmp_path / "killed"
    count = killed_and_taken_up(folder, thorough_bundle, short_clip, after, start, wait_for)
    assert len({job.id for job, _ in told.jobs}) == len(told.jobs) <= count + 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_kills_at_random_moments_lose_nothing(
    tmp_path, thorough_bundle, short_clip, start, wait_for
):
    chance = random.Random(8)
    done = 0
    for number in range(50):
        after = chance.uniform(0, 8)
        folder = tmp_path / f"killed-{number}"
        done += killed_and_taken_up(folder, thorough_bundle, short_clip, after, start, wait_for)
    assert done > 200


@pytest.mark.slow
def test_another_server_takes_over_what_a_killed_one_was_doing(
    store, submit, thorough_bundle, long_clip, short_clip, wait_for
):
    with server(store.folder, thorough_bundle, long_clip, 0) as first:
        shown = submit(short_clip)
        wait_for(lambda: store.find(shown.id).state == "done")  # it is the one that does jobs
        with server(store.folder, thorough_bundle, long_clip, 0):
            job = submit(long_clip)
            wait_for(lambda: store.find(job.id).frames > 0)
            first.kill()  # at once: the job must not be done by then
            began = time.monotonic()
            wait_for(
                lambda: store.find(job.id).state == "running" and store.find(job.id).attempts == 2
            )
            assert time.monotonic() - began < 10
            done = wait_for(lambda: (found := store.find(job.id)).state == "done" and found)
    assert done.attempts == 2
