"""Bodies that are kept in memory or in a file, and disks that take no more."""

from __future__ import annotations

import asyncio
import resource
from contextlib import contextmanager

import pytest
from starlette.requests import Request

from deepfake_lightning.serving.answers import Refusal
from deepfake_lightning.serving.uploads import IN_MEMORY, Spool

CLIP = b"\0\0\0\x18ftypisom" + b"\0" * 12
DISK = 4096


@pytest.fixture
def spool(tmp_path):
    made = Spool(tmp_path, 20)
    yield made
    made.close()


@contextmanager
def full_disk():
    """Let files grow to ``DISK`` bytes; what is written behind them is an OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def receive(spool, body, step=65536, **more):
    parts = [body[at : at + step] for at in range(0, max(1, len(body)), step)]

    async def take():
        last = len(parts) - 1
        messages = iter(
            {"type": "http.request", "body": part, "more_body": number < last}
            for number, part in enumerate(parts)
        )

        async def message():
            return next(messages)

        request = Request({"type": "http", "method": "POST", "headers": []}, message)
        return await spool.receive(request, **more)

    return asyncio.run(take())


def files_of(spool):
    return [path.name for path in spool.folder.iterdir() if path.name != "lock"]


@pytest.mark.parametrize("size", [1000, IN_MEMORY, IN_MEMORY + 1])
@pytest.mark.parametrize("to_file", [False, True])
def test_a_body_comes_whole(spool, size, to_file):
    body = CLIP + bytes(n % 251 for n in range(size - len(CLIP)))
    upload = receive(spool, body, to_file=to_file)
    in_file = to_file or size > IN_MEMORY
    assert (upload.content.read_bytes() if in_file else upload.content) == body
    assert (upload.kind, upload.size) == ("video", size)
    upload.close()
    assert files_of(spool) == []


@pytest.mark.parametrize(
    ("size", "step"),
    [(DISK + 100, 100), (DISK + 100, 65536), (200_000, 65536), (IN_MEMORY + 5000, 65536)],
    ids=["at its end, many parts", "at its end", "on its way", "when it leaves the memory"],
)
def test_a_disk_that_fills_is_told_and_nothing_is_left(spool, size, step):
    body = CLIP.ljust(size, b"a")
    with full_disk(), pytest.raises(Refusal) as caught:
        receive(spool, body, step, to_file=size <= IN_MEMORY)
    refusal = caught.value
    assert (refusal.status, refusal.code) == (503, "disk")
    assert refusal.headers == {"Retry-After": "30"}
    assert files_of(spool) == []


@pytest.mark.parametrize("body", [b"no media" * 1000, b""], ids=["no media", "empty"])
def test_what_is_refused_leaves_nothing(spool, body):
    with pytest.raises(Refusal):
        receive(spool, body, to_file=True)
    assert files_of(spool) == []
