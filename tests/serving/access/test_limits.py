"""How much is read of a body."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path

import pytest

from deepfake_lightning.serving.access.limits import MAX_FORM_BYTES, BodyLimit

door_app = runpy.run_path(str(Path(__file__).parents[1] / "door_app.py"))
Begin, echo, ask = (door_app[name] for name in ("Begin", "echo", "ask"))
LIMITS = {"/v1/predict": 1000, "/v1/jobs": 5000, "/v1/feedback": MAX_FORM_BYTES,
          "/nothing": MAX_FORM_BYTES}  # fmt: skip


def limited():
    return Begin(BodyLimit(echo, max_bytes=1000, max_job_bytes=5000))


async def chunks(size, chunk=100):
    for at in range(0, size, chunk):
        yield bytes(min(chunk, size - at))


@pytest.mark.parametrize(("path", "limit"), LIMITS.items())
def test_each_path_has_its_limit_whether_announced_or_in_chunks(path, limit):
    app = limited()
    for content in (bytes(limit), chunks(limit)):
        assert ask(app, "POST", path, content=content).json()["size"] == limit
    for content in (bytes(limit + 1), chunks(limit + 1)):
        answer = ask(app, "POST", path, content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        assert f"{limit:,}" in answer.json()["error"]["message"]
        assert ("/v1/jobs" in answer.json()["error"]["next"]) == (path == "/v1/predict")
        assert app.exchanges[-1].error == "too_large"


@pytest.mark.parametrize(("path", "limit"), [("/v1/predict", 1000), ("/v1/jobs", 1_000_000)])
def test_of_an_endless_body_little_is_read_after_the_limit(path, limit):
    read = 0

    async def receive():
        nonlocal read
        read += 500
        await asyncio.sleep(0)
        return {"type": "http.request", "body": bytes(500), "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"",
             "headers": [(b"transfer-encoding", b"chunked")]}  # fmt: skip
    app = Begin(BodyLimit(echo, max_bytes=1000, max_job_bytes=1_000_000))
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 413
    assert dict(sent[0]["headers"])[b"connection"] == b"close"
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert limit < read <= limit + 500 + 2000


def test_a_sender_that_stalls_is_let_go():
    async def receive():
        await asyncio.sleep(60)

    async def turn_away(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/predict",
             "headers": [(b"content-length", b"900")]}  # fmt: skip
    asyncio.run(asyncio.wait_for(Begin(BodyLimit(turn_away))(scope, receive, send), 10))
    assert [message.get("body") for message in sent] == [None, b"no", b""]
