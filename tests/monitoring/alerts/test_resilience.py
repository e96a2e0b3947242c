"""A real server whose log cannot be written: it answers, what is lost is noted, and told.

The database is locked by another process, its disk is full, or PostgreSQL is stopped.
"""

from __future__ import annotations

import os
import runpy
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from deepfake_lightning.monitoring.alerts import AlertPolicy, check_alerts
from deepfake_lightning.monitoring.log import LogWriter, PredictionLog, address
from deepfake_lightning.monitoring.log.tables import gaps
from deepfake_lightning.serving import service
from deepfake_lightning.storage import Workspace, write_json

MINUTE = 60_000_000
SERVING = runpy.run_path(str(Path(__file__).parents[2] / "serving" / "conftest.py"))
LOCKS = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
PICTURE = cv2.imencode(".png", np.full((24, 32, 3), 200, np.uint8))[1].tobytes()


class Served:
    """A server, its log, and who checks it minute by minute of a clock that begins now."""

    def __init__(self, running, workspace, place):
        self.running, self.workspace, self.place = running, workspace, place
        self.now = time.time_ns() // 1000

    def ask(self, number):
        """Return the codes of so many answers."""
        url = "/v1/predict?already_cropped=true"
        post = self.running.client.post
        return {post(url, content=PICTURE).status_code for _ in range(number)}

    def check(self, minutes=1):
        """Check some minutes later; return what happened."""
        self.now += minutes * MINUTE
        found = check_alerts(self.workspace, self.place, environment="production", now_us=self.now)
        self.alerts = found.alerts
        return [f"{one.alert.rule} {one.kind}" for one in found.events]

    def until(self, true, seconds=60):
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.1)

    def lost(self):
        """Return how many requests are noted as lost."""
        with PredictionLog(self.place) as log, log.reading() as connection:
            return sum(connection.scalars(select(gaps.c.lost)).all())


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Return a function that starts a server on a log, whose buffer holds 20 requests."""
    monkeypatch.setattr(address, "BUSY_MS", 50)
    monkeypatch.setattr(service, "LogWriter", partial(LogWriter, capacity=20, flush_seconds=0.1))
    opened = []
    workspace = Workspace(tmp_path / "mlops")
    rules = [one for one in AlertPolicy().to_dict()["rules"] if one["measure"] == "log_stalled"]
    write_json(workspace.monitoring / "alerts" / "policy.yaml", {"rules": rules})

    def start(place):
        context = SERVING["_bright"](workspace.root, {"log": str(place)})
        one = Served(context.__enter__(), workspace, place)
        opened.append(context)
        return one

    yield start
    for context in opened:
        context.__exit__(None, None, None)


def whole_story(one, *, while_away, back):
    """Ask, take the log away, ask more than the buffer holds, give it back, and look on."""
    assert one.ask(5) == {200}
    one.until(lambda: one.running.service.writer.waiting == 0)
    assert one.check() == []
    while_away()
    assert one.ask(60) == {200}
    one.until(lambda: one.running.service.writer.fault)
    assert one.ask(20) == {200}  # while it is known to be away
    happened = [one.check() for _ in range(4)]
    assert happened == [[], [], ["log_stalled firing"], []]
    said = one.alerts[0].says
    back()
    one.until(lambda: one.running.service.writer.fault is None, 90)
    assert one.ask(5) == {200}
    lost = 85 - 20 - 5
    one.until(lambda: one.lost() > 0)
    assert lost - 5 <= one.lost() <= lost
    assert one.running.count() == 90 - one.lost()  # each request is in the log, or counted as lost
    assert one.check(0) == []
    assert "were answered and are not in the log" in one.alerts[0].says
    happened = [event for _ in range(30) for event in one.check()]
    assert happened == ["log_stalled resolved"]
    return said


@pytest.mark.slow
def test_a_database_that_another_process_locks(served, tmp_path):
    place = tmp_path / "predictions.db"
    one = served(place)
    command = [sys.executable, "-c", LOCKS, str(place)]
    other = []

    def lock():
        other.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert other[0].stdout.readline() == b"locked\n"

    def free():
        other[0].communicate()

    assert "database is locked" in whole_story(one, while_away=lock, back=free)


@pytest.mark.slow
def test_a_disk_that_is_full(served, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)],
                             capture_output=True)  # fmt: skip
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        one = served(disk / "predictions.db")

        def fill():
            with (disk / "fill").open("wb") as file:
                while True:
                    try:
                        os.write(file.fileno(), bytes(4096))
                    except OSError:
                        break
            # What the write-ahead log has room for is taken, too.
            plain = sqlite3.connect(disk / "predictions.db")
            with pytest.raises(sqlite3.OperationalError, match="full"):
                for _ in range(100_000):
                    plain.execute("INSERT INTO dirty_minutes (start_us) VALUES (0)")
                    plain.commit()
            plain.close()

        said = whole_story(one, while_away=fill, back=(disk / "fill").unlink)
        assert "database or disk is full" in said
        one.running.service.writer.flush()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.slow
def test_a_postgresql_that_is_stopped_and_started(served, own_postgresql):
    one = served(own_postgresql.database())
    said = whole_story(one, while_away=own_postgresql.stop, back=own_postgresql.start)
    assert "could not be opened" in said and "refused" in said
