"""``serve`` while the PostgreSQL server of its log is stopped and started, under load."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.tables import gaps
from tests.postgresql_server import PASSWORD
from tests.serving.serve_process import Traffic

PICTURE = cv2.imencode(".png", np.full((48, 48, 3), 150, np.uint8))[1].tobytes()
BUFFER = 10_000  # of a server's log writer


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_are_answered_and_what_is_lost_is_counted(
    start_serve: Any, crop_bundle: Any, own_postgresql: Any, tmp_path: Path
) -> None:
    url = own_postgresql.database()
    workspace = tmp_path / "mlops"
    server = start_serve(workspace, "--bundle", crop_bundle.folder, "--log", url)
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.extend(server.process.stderr))
    reading.start()
    # What is no picture is refused at once, and logged: so a buffer is full before long.
    traffic = [Traffic(server.url, PICTURE, threads=1), Traffic(server.url, b"no picture", 3)]

    def answers() -> int:
        return sum(len(one.answers) for one in traffic)

    time.sleep(3)
    own_postgresql.stop()
    before, began = answers(), time.monotonic()
    while answers() < before + BUFFER + 1500:
        assert time.monotonic() - began < 600, answers() - before
        time.sleep(0.5)
    away = time.monotonic() - began
    own_postgresql.start()
    time.sleep(8)  # it is tried every five seconds
    for one in traffic:
        one.stop()
    server.process.terminate()
    assert server.process.wait(60) == 0
    reading.join(10)

    assert [one.lost for one in traffic] == [0, 0]
    assert {status for _, status, _ in traffic[0].answers} == {200}
    assert {status for _, status, _ in traffic[1].answers} == {415}
    with PredictionLog(url) as log, log.reading() as connection:
        noted = connection.execute(select(gaps.c.lost, gaps.c.reason)).all()
        rows = log.count()
    lost = sum(one.lost for one in noted)
    print(f"{away:.0f} s away, {answers()} answered, {rows} rows, {lost} lost in {len(noted)} gaps")
    assert lost > 0 and rows + lost == answers()
    assert all("refused" in one.reason for one in noted), noted
    logs = [path for path in workspace.rglob("*") if path.is_file()]
    assert logs and not any(PASSWORD.encode() in path.read_bytes() for path in logs)
    assert PASSWORD not in "".join(said)
