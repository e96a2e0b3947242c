"""A server that is killed at any moment leaves nothing behind, and loses next to nothing."""

from __future__ import annotations

import inspect
import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import suppress

import httpx
import pytest

from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.writer import LogWriter

FLUSH_SECONDS = inspect.signature(LogWriter).parameters["flush_seconds"].default
SLACK = 0.5  # seconds, for a machine that has more to do
GONE_WITHIN = 2.0


@pytest.fixture
def killed(tmp_path, crop_bundle, encode, portrait_clips, start_serve, traffic):
    """Return a function that kills a server again and again: ``killed([(after, whole), ...])``."""
    flags = ("--bundle", crop_bundle.folder, "--workers", 2)
    clip = (portrait_clips / "fake" / "p0.mp4").read_bytes()

    def kill(moments):
        server, kept = start_serve(tmp_path, *flags), 0
        jobs = set()
        for after, whole in moments:
            job = httpx.post(f"{server.url}/v1/jobs", content=clip, timeout=30)
            assert job.status_code == 202, job.text
            jobs.add(job.json()["id"])
            endless = threading.Thread(target=send_half, args=(server.url, encode(kind=".bmp")))
            endless.start()
            sent = traffic(server.url, encode())
            time.sleep(after)
            (os.killpg if whole else os.kill)(server.pid, signal.SIGKILL)
            at = time.monotonic()
            assert server.seconds_until_gone() < GONE_WITHIN + SLACK
            sent.stop()
            endless.join(30)
            kept += check_log(tmp_path, sent.answers, at)
            server = start_serve(tmp_path, *flags)
            check_uploads(tmp_path)
            assert httpx.post(f"{server.url}/v1/predict?already_cropped=true",
                              content=encode(), timeout=30).status_code == 200  # fmt: skip
        for name in jobs:
            wait_for_job(server.url, name)
        assert server.stop() == (0, "")
        server.seconds_until_gone(GONE_WITHIN)
        assert not any((tmp_path / "serving" / "uploads").iterdir())
        return kept

    return kill


def send_half(url, head):
    """Begin a body that is large enough for a file, and never end it."""

    def parts():
        yield head
        yield bytes(3 << 20)
        time.sleep(20)
        yield b"the end"

    with suppress(httpx.TransportError):
        httpx.post(f"{url}/v1/predict", content=parts(), timeout=40)


def check_log(workspace, answers, killed_at):
    """Assert that the log opens and has whole rows; return of how many answers before the kill."""
    path = workspace / "monitoring" / "predictions.db"
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert {status for _, status, _ in answers} <= {200}
    due = [name for at, _, name in answers if at < killed_at - FLUSH_SECONDS - SLACK]
    with PredictionLog(path) as log:
        assert [name for name in due if log.find(name) is None] == []
        rows = [row for _, _, name in answers if (row := log.find(name)) is not None]
    for row in rows:
        assert row.http_status == 200
        assert [item.status for item in row.items] == ["ok"]
        assert row.items[0].score is not None
    return len(rows)


def check_uploads(workspace):
    """Assert that of killed servers no upload is left; one that lives has a folder, and a lock."""
    folders = list((workspace / "serving" / "uploads").iterdir())
    assert len(folders) == 1
    assert [file.name for file in folders[0].iterdir()] == ["lock"]


def wait_for_job(url, name):
    end = time.monotonic() + 120
    while (job := httpx.get(f"{url}/v1/jobs/{name}", timeout=30).json())["state"] != "done":
        assert job["state"] in {"queued", "running"}, job
        assert time.monotonic() < end, job
        time.sleep(0.1)
    assert job["result"]["status"] == "ok"


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_kill_under_load(killed):
    assert killed([(1.1, True)]) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_at_forty_random_moments(killed):
    chance = random.Random(3)
    moments = [(chance.uniform(0, 5), chance.random() < 0.5) for _ in range(40)]
    assert killed(moments) > 400
