"""A server process whose app cannot start."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

FAILS = """
import asyncio, logging, sys
from deepfake_lightning.serving import process
from deepfake_lightning.serving.server import make_server

async def app(scope, receive, send):
    await receive()
    kind = "failed" if sys.argv[1] == "fails" else "complete"
    await send({"type": f"lifespan.startup.{kind}", "message": "the disk is away"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

logging.basicConfig()
server = make_server(process._TriedAgain(app))

async def run():
    asyncio.get_running_loop().call_later(0.5, setattr, server, "should_exit", True)
    await server.serve()

asyncio.run(run())
print("uvicorn went on")
"""


@pytest.mark.parametrize(
    ("start", "code", "said"),
    [("fails", 1, "the process could not start: the disk is away"), ("works", 0, "")],
)
def test_a_process_that_cannot_start_ends_itself_a_moment_later(start, code, said):
    """So it is replaced, and uvicorn, which would end all others too, is not told."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", FAILS, start], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert ("uvicorn went on" in done.stdout) == (start == "works")
    if start == "fails":
        assert time.monotonic() - began > 2  # not again and again without a pause
