"""Several server processes on one socket are one server."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deepfake_lightning.monitoring.log import PredictionLog

PREDICT = "/v1/predict?already_cropped=true"


@pytest.fixture(scope="module")
def data(encode):
    return encode()


@pytest.fixture
def two(tmp_path, crop_bundle, start_serve):
    """Return a server of two processes."""
    flags = ("--bundle", crop_bundle.folder, "--workers", 1, "--processes", 2)
    return start_serve(tmp_path, *flags)


def ask(url, data, times):
    """Return the statuses of requests, each over a connection of its own, eight at a time."""

    def once(_):
        return httpx.post(url + PREDICT, content=data, timeout=60).status_code

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(once, range(times)))


def answered(workspace):
    """Return how many predictions the log of each process says it answered."""
    counts = []
    for file in sorted((workspace / "monitoring" / "logs").glob("server-*.jsonl")):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        counts.append(sum(line.get("route") == "/v1/predict" for line in lines))
    return counts


def ask_until_both_answer(url, data, workspace, seconds=60.0):
    """Return how many requests were sent until the newest two processes had answered some."""
    end, sent, before = time.monotonic() + seconds, 0, answered(workspace)
    while True:
        assert set(ask(url, data, 16)) == {200}
        sent += 16
        now = answered(workspace)
        before += [0] * (len(now) - len(before))
        if sum(new > old for new, old in zip(now, before, strict=True)) == 2:
            return sent
        assert time.monotonic() < end, now


def metric(url, name):
    text = httpx.get(f"{url}/metrics", timeout=30).text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith(name + "{") and 'route="/v1/predict"' in line
    )


@pytest.mark.slow
def test_both_answer_and_their_logs_metrics_and_rows_are_one(two, tmp_path, data):
    sent = ask_until_both_answer(two.url, data, tmp_path)
    assert len(two.children()) == 2
    assert len(answered(tmp_path)) == 2
    for _ in range(4):  # whichever process is asked
        assert metric(two.url, "deepfake_requests_total") == sent
    httpx.get(f"{two.url}/v1/jobs?name=Jane+Roe", timeout=30)
    assert two.stop() == (0, "")
    two.seconds_until_gone(2.0)
    with PredictionLog(tmp_path / "monitoring" / "predictions.db") as log:
        assert log.count() == sent
    logs = "".join(p.read_text() for p in (tmp_path / "monitoring/logs").glob("*.jsonl"))
    assert '"/v1/jobs"' in logs and "Jane" not in logs  # no queries, and no addresses
    assert "127.0.0.1" not in logs


@pytest.mark.slow
def test_one_that_is_killed_is_replaced(two, tmp_path, data):
    sent = ask_until_both_answer(two.url, data, tmp_path)
    victim, stays = two.children()
    os.kill(victim, signal.SIGKILL)
    end = time.monotonic() + 60
    while len(now := two.children()) < 2 or victim in now:
        assert time.monotonic() < end, two.all_processes()
        time.sleep(0.05)
    assert stays in now
    two.wait_until_up()
    sent += ask_until_both_answer(two.url, data, tmp_path)
    assert len(answered(tmp_path)) == 2  # the new one goes on with the log of the one before
    assert metric(two.url, "deepfake_requests_total") == sent  # what the killed one did counts
    os.kill(two.pid, signal.SIGKILL)
    two.seconds_until_gone(10.0)  # one, on a machine that has nothing else to do
    with pytest.raises(httpx.ConnectError):  # nobody holds the socket
        httpx.get(f"{two.url}/healthz")


@pytest.mark.slow
def test_sigterm_finishes_what_is_under_way(two, tmp_path, data):
    began, answers = [threading.Event() for _ in range(6)], []

    def slowly(event):
        yield data[:30]
        event.set()
        time.sleep(1.5)
        yield data[30:]

    def post(event):
        answers.append(httpx.post(two.url + PREDICT, content=slowly(event), timeout=60))

    threads = [threading.Thread(target=post, args=(event,)) for event in began]
    for thread in threads:
        thread.start()
    assert all(event.wait(20) for event in began)
    time.sleep(0.3)  # the first parts are on their way
    assert two.stop() == (0, "")
    for thread in threads:
        thread.join(20)
    assert [answer.status_code for answer in answers] == [200] * 6
    two.seconds_until_gone(2.0)
    with PredictionLog(tmp_path / "monitoring" / "predictions.db") as log:
        assert log.count() == 6


@pytest.mark.slow
def test_a_first_process_that_is_killed_leaves_no_others_that_are_just_starting(two):
    assert len(two.children()) == 2
    os.kill(two.pid, signal.SIGKILL)
    two.seconds_until_gone(30.0)  # they end once they have loaded what they need
