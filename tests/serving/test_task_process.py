"""A process that does tasks, as the decoders are: what it returns, raises, and how it ends."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from deepfake_lightning.serving.task_process import ProcessDied, TaskProcess


def numbers(count):
    return {"array": np.arange(count, dtype=np.int64), "name": "n"}


def refuse(said):
    raise ValueError(said)


class Unsendable(Exception):
    def __init__(self, one, two):
        super().__init__("it says this")


def refuse_unsendably():
    raise Unsendable(1, 2)


def unsendable_result():
    return lambda: None


def nothing():
    """Prepare nothing."""


@pytest.fixture
def process():
    started = TaskProcess.start(multiprocessing.get_context("forkserver"), nothing)
    yield started
    started.end()


@pytest.mark.parametrize("count", [3, 3_000_000])
def test_it_returns_what_the_function_does_small_or_large(process, count):
    async def ask():
        return [await process.run(numbers, count) for _ in range(2)]

    for found in asyncio.run(ask()):
        assert found["name"] == "n"
        np.testing.assert_array_equal(found["array"], np.arange(count))
    assert process.is_free


def test_it_takes_what_is_large(process):
    data = os.urandom(5_000_000)
    assert asyncio.run(process.run(bytes, data)) == data


def test_an_error_is_raised_here_with_where_it_was_and_the_next_task_is_done(process):
    async def ask():
        with pytest.raises(ValueError, match="too big") as caught:
            await process.run(refuse, "too big")
        assert "in refuse" in caught.value.__notes__[0]
        for function in (refuse_unsendably, unsendable_result):
            with pytest.raises(Exception, match=r"it says this|pickle"):
                await process.run(function)
        return await process.run(os.getpid)

    assert asyncio.run(ask()) not in (0, os.getpid())


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_process_that_dies_at_a_task_says_how(process, kind):
    async def ask():
        pid = await process.run(os.getpid)
        with pytest.raises(ProcessDied) as caught:
            await process.run(os.kill, pid, kind)
        return caught.value.exit_code

    assert asyncio.run(ask()) == -kind
    assert not process.is_free


def test_a_process_that_dies_while_it_waits_is_seen_before_it_is_given_a_task(process):
    os.kill(asyncio.run(process.run(os.getpid)), signal.SIGKILL)
    ends = time.monotonic() + 10
    while not process.has_ended():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_task_that_is_given_up_leaves_a_process_that_takes_no_more(process):
    async def ask():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await process.run(time.sleep, 60)

    asyncio.run(ask())
    assert not process.is_free
    process.end()
    process.end()  # nothing happens
