"""Files that end the process that decodes them, or keep it busy: they cost themselves alone."""

from __future__ import annotations

import os
import runpy
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

_HERE = Path(__file__).parent
_media = runpy.run_path(str(_HERE / "hostile_media.py"))
_probing = runpy.run_path(str(_HERE / "probing.py"))
check_refusal, decoders, memory_mb, open_files, processes, uploads_left, wait_until = (
    _probing[name]
    for name in ("check_refusal", "decoders", "memory_mb", "open_files", "processes",
                 "uploads_left", "wait_until")
)  # fmt: skip

SLOW = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="session")
def slow_clip(made_once):
    """Return a clip of half a megabyte that takes a minute and more to decode."""
    path = made_once("slow_clip", lambda folder: _media["slow_clip"](folder / "slow.webm"))
    assert path.stat().st_size < 1_000_000
    return path.read_bytes()


def busy_decoder(before):
    """Return the process that has used most of a processor since ``before``; None while none."""
    used = {pid: ticks - before.get(pid, 0) for pid, ticks in _ticks().items()}
    pid = max(used, key=used.get, default=None)
    return pid if pid is not None and used[pid] > 20 else None  # 0.2 s


def _ticks():
    found = {}
    for pid in decoders():
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        found[pid] = int(fields[11]) + int(fields[12])
    return found


def send_in_background(pool, server, data):
    """Send a file on a connection of its own; return what will hold its answer."""

    def send():
        with httpx.Client(base_url=server.url, timeout=120) as client:
            return client.post("/v1/predict", content=data)

    return pool.submit(send)


def still_right(server, encode, brightness=200):
    """Assert that a good picture has its score; return the seconds that took."""
    began = time.perf_counter()
    record = server.client.post("/v1/predict", content=encode(brightness)).json()
    assert record["logit"] == pytest.approx(brightness / 64 - 2, abs=0.05)
    return time.perf_counter() - began


@pytest.mark.parametrize(
    "kind",
    [
        signal.SIGSEGV,
        *(pytest.param(kind, marks=SLOW) for kind in (signal.SIGKILL, signal.SIGABRT)),
    ],
)
def test_a_file_that_ends_its_decoder_is_unreadable_and_the_next_is_right(
    serve, encode, slow_clip, kind
):
    server = serve()
    still_right(server, encode)
    with ThreadPoolExecutor(1) as pool:
        before = _ticks()
        sent = send_in_background(pool, server, slow_clip)
        wait_until(lambda: busy_decoder(before) or sent.done())
        os.kill(busy_decoder(before), kind)
        answer = sent.result(20)
    assert answer.status_code == 422
    assert check_refusal(422, answer.headers, answer.json()) == "unreadable"
    assert "crashes its decoder" in answer.json()["error"]["message"]
    still_right(server, encode)
    wait_until(lambda: len(decoders()) >= len(before))
    assert server.find(answer.json()["request_id"]).error == "unreadable"


def test_decoders_that_end_while_they_wait_are_replaced(serve, encode):
    server = serve()
    still_right(server, encode)
    for pid in _ticks():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(0.5)
    for brightness in (120, 160, 200):
        still_right(server, encode, brightness)


def test_a_file_that_takes_too_long_is_given_up_in_time(serve, encode, slow_clip):
    server = serve(bounds={"deadline": 1.5})
    still_right(server, encode)
    before = set(_ticks())
    began = time.monotonic()
    answer = server.client.post("/v1/predict", content=slow_clip)
    took = time.monotonic() - began
    assert answer.status_code == 503
    assert check_refusal(503, answer.headers, answer.json()) == "deadline"
    assert int(answer.headers["retry-after"]) > 0
    assert 1.4 < took < 2.5
    wait_until(lambda: set(_ticks()) != before)  # the one that was busy is no more
    still_right(server, encode)


def test_good_pictures_pass_those_that_keep_a_decoder_busy(serve, encode, slow_clip):
    server = serve(bounds={"deadline": 8.0})
    alone = [still_right(server, encode, 100 + number) for number in range(30)]
    with ThreadPoolExecutor(2) as pool:
        before = _ticks()
        sent = [send_in_background(pool, server, slow_clip) for _ in range(2)]
        wait_until(lambda: busy_decoder(before))
        beside = [still_right(server, encode, 100 + number) for number in range(60)]
        assert not any(each.done() for each in sent)  # they were at it all the time
        codes = [(each.result(40).status_code) for each in sent]
    assert codes == [503, 503]
    # A busy core more; a queue behind the clips would take seconds.
    assert statistics.median(beside) < statistics.median(alone) + 0.25, (alone, beside)
    assert max(beside) < 3, beside


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [6, 50])
def test_decoders_that_end_and_hang_leave_nothing_behind(serve, encode, slow_clip, count):
    server = serve(bounds={"deadline": 1.0})
    files = memory = children = None
    for number in range(count):
        before = _ticks()
        with ThreadPoolExecutor(1) as pool:
            sent = send_in_background(pool, server, slow_clip)
            if number % 2:
                wait_until(lambda before=before, sent=sent: busy_decoder(before) or sent.done())
                pid = busy_decoder(before)
                if pid is not None and not sent.done():
                    os.kill(pid, signal.SIGKILL)
            assert sent.result(20).status_code in {422, 503}
        still_right(server, encode)
        if number == 1:
            wait_until(lambda: len(_ticks()) >= 2)
            files, memory, children = open_files(), memory_mb(), len(processes())
    wait_until(lambda: len(processes()) <= children)
    assert open_files() <= files + 4
    assert memory_mb() < memory + 80
    assert threading.active_count() < 60
    assert uploads_left(server.service.settings.workspace) == []
