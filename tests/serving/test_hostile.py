"""Uploads that are damaged, lie, or are something else: each is refused or scored, none harms."""

from __future__ import annotations

import logging
import runpy
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

_HERE = Path(__file__).parent
_media = runpy.run_path(str(_HERE / "hostile_media.py"))
_probing = runpy.run_path(str(_HERE / "probing.py"))
check_refusal, memory_mb, uploads_left = (
    _probing[name] for name in ("check_refusal", "memory_mb", "uploads_left")
)
SLOW = [pytest.mark.slow, pytest.mark.timeout(3600)]
SECRET = b"Zq7-what-nobody-else-writes-Zq7"
SHARED = _HERE.parents[2] / "shared" / "data"
BOMBS = _media["bombs"]()
_DEADLINE = 20.0


@pytest.fixture
def hostile(serve, brightness, monkeypatch):
    """Return a server that takes what may be sent by default, with a shorter deadline."""
    for name in ("FAULTY", "NO_NUMBER"):  # a damaged picture may be as dark as these
        monkeypatch.setitem(brightness.Brightness.run.__globals__, name, -1)
    return serve(bounds={"deadline": _DEADLINE, "queue": 50}, token=None)


@pytest.fixture(scope="module")
def sound(make_clip, tmp_path_factory):
    """Return small sound files, by name; real ones too, where there are."""
    found = {**_media["pictures"](), **_media["clips"](make_clip, tmp_path_factory.mktemp("clips"))}
    real = [
        *sorted(SHARED.glob("dfdc_faces/**/*.jpg"))[:3],
        *sorted(SHARED.glob("ffpp/**/*.mp4"))[:1],
    ]
    return found | {f"real-{path.name}": path.read_bytes() for path in real}


def asked(server, data, path="/v1/predict", **more):
    """Send a file; assert what holds of every answer, and return its status and code."""
    began = time.monotonic()
    answer = server.client.post(path, content=data, **more)
    assert time.monotonic() - began < _DEADLINE + 2
    record = answer.json()
    if answer.status_code == 200:
        assert record["verdict"] in {"manipulation_indicated", "no_indication", "not_assessable"}
        assert answer.headers["x-request-id"] == record["request_id"]
        return 200, record["status"]
    code = check_refusal(answer.status_code, answer.headers, record)
    assert "/" not in record["error"]["message"].replace("/v1/jobs", "")  # no path of the server
    return answer.status_code, code


def still_right(server, encode):
    """Assert that a good picture has its score."""
    record = server.client.post("/v1/predict", content=encode(200)).json()
    assert record["logit"] == pytest.approx(200 / 64 - 2, abs=0.05)


@pytest.mark.parametrize("count", [200, pytest.param(4000, marks=SLOW)])
def test_damaged_files_are_scored_or_refused_and_leave_nothing(
    hostile, sound, encode, capfd, caplog, count
):
    caplog.set_level(logging.INFO)
    generator = np.random.default_rng(20)
    names = sorted(sound)
    files = []
    for number in range(count):
        data = sound[names[number % len(names)]]
        for _ in range(1 + number % 2):
            data = _media["damaged"](data, generator) or b"\0"
        files.append(data + SECRET)

    def send(data):
        return asked(hostile, data)

    with ThreadPoolExecutor(2) as pool:
        warm = list(pool.map(send, files[: count // 4]))
        before = memory_mb()
        found = Counter([*warm, *pool.map(send, files[count // 4 :])])
        after = memory_mb()
    assert {status for status, _ in found} <= {200, 413, 415, 422}, found
    assert min(sum(n for (status, _), n in found.items() if status == each)
               for each in (200, 415, 422)) > count / 100, found  # fmt: skip
    # A decoder keeps arenas of the largest picture it saw, once.
    assert after - before < 60, (before, after)
    still_right(hostile, encode)
    assert uploads_left(hostile.service.settings.workspace) == []
    assert hostile.count() == count + 1
    logged = capfd.readouterr()
    assert SECRET.decode() not in logged.err + logged.out + caplog.text
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
    assert "libpng" not in logged.err  # it quotes names of parts of a file


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_picture_that_claims_far_more_than_it_is_costs_nothing(server_of_bombs, encode, name):
    server, before = server_of_bombs
    began = time.monotonic()
    refused = {(413, "over_limit"), (415, "not_media"), (422, "unreadable")}
    assert asked(server, BOMBS[name]) in refused
    assert time.monotonic() - began < 5
    assert memory_mb() - before < 150
    still_right(server, encode)


@pytest.fixture(scope="module")
def server_of_bombs(server):
    """Return a server that has worked, and the memory it needs."""
    assert asked(server, _media["pictures"]()["deep.png"]) == (200, "ok")
    return server, memory_mb()


def test_what_is_something_else_is_refused_and_nothing_is_fetched(
    server, encode, make_clip, tmp_path
):
    clip = make_clip(tmp_path / "a.mp4", frames=3)
    with ThreadPoolExecutor(1) as pool, _listener() as (url, came):
        things = _media["other_things"]()
        here = url.encode() + b"/x.mp4"
        for name, data in list(things.items()):
            elsewhere = data.replace(b"http://127.0.0.1:9/", here)
            things[f"{name}-url"] = elsewhere.replace(b"/etc/passwd", str(clip).encode())
        things |= dict(enumerate(_media["elsewhere"](f"{url}/x.mp4")))
        for name, data in things.items():
            status, code = pool.submit(asked, server, data).result()
            assert (status, code) in {(415, "not_media"), (422, "unreadable")}, name
        assert came() == 0  # nothing connected to the address in them
    still_right(server, encode)


class _listener:
    """Counts who connects to an address."""

    def __enter__(self):
        import socket

        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}", self._came

    def _came(self):
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
                count += 1
            except BlockingIOError:
                return count

    def __exit__(self, *error):
        self._socket.close()


def test_a_clip_that_claims_or_has_too_much_is_refused(serve, encode, make_clip, tmp_path):
    server = serve(
        bounds={"seconds": 5.0, "pixels": 200 * 200, "frames": 20, "deadline": _DEADLINE}
    )
    large = make_clip(tmp_path / "large.mp4", frames=2, size=(320, 240)).read_bytes()
    long = make_clip(tmp_path / "long.mp4", frames=12, times_ms=[800 * n for n in range(12)])
    late = make_clip(tmp_path / "late.mkv", frames=3, times_ms=[0, 40, 86_400_000])
    small = make_clip(tmp_path / "small.mp4", frames=3).read_bytes()
    lies = small
    for kind in (b"mvhd", b"tkhd", b"mdhd", b"elst", b"stts", b"stsz", b"stco"):
        place = small.find(kind)
        if place > 0:
            lies = small[: place + 16] + b"\x7f\xff\xff\xff" + small[place + 20 :]
            asked(server, lies)
            asked(server, small[: place + 8] + b"\xff" * 12 + small[place + 20 :])
    many = make_clip(tmp_path / "many.mp4", size=(16, 16), frames=7000, fps=2000,
                     options={"g": "7000", "preset": "ultrafast"})  # fmt: skip
    for name, data in {"large": large, "long": long.read_bytes(), "late": late.read_bytes(),
                       "many": many.read_bytes()}.items():  # fmt: skip
        assert asked(server, data) == (413, "over_limit"), name
    assert asked(server, small)[0] == 200
    still_right(server, encode)


def test_many_clients_at_once_with_good_and_bad_files_each_have_their_own_answer(
    hostile, sound, encode
):
    generator = np.random.default_rng(4)
    bad = [_media["damaged"](sound[".png"], generator)[:200] + b"x" for _ in range(60)]

    def good(brightness):
        with httpx.Client(base_url=hostile.url, timeout=60) as client:
            answer = client.post("/v1/predict", content=encode(brightness))
        return answer.json()["logit"] - (brightness / 64 - 2)

    with ThreadPoolExecutor(8) as pool:
        refused = pool.map(lambda data: asked(hostile, data), bad)
        errors = list(pool.map(good, range(100, 160)))
    assert max(np.abs(errors)) < 0.05
    assert {status for status, _ in refused} <= {413, 415, 422}
