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


def with_process(ask, start=asyncio.run):
    """Run what is asked of a process, on an event loop."""

    async def run():
        process = TaskProcess.start(multiprocessing.get_context("forkserver"), nothing)
        try:
            await process.connect()
            return await ask(process)
        finally:
            process.end()

    return start(run())


@pytest.mark.parametrize("count", [3, 3_000_000])
def test_it_returns_what_the_function_does_small_or_large(count):
    async def ask(process):
        found = [await process.run(numbers, count) for _ in range(2)]
        assert process.is_free
        return found

    for found in with_process(ask):
        assert found["name"] == "n"
        np.testing.assert_array_equal(found["array"], np.arange(count))
        found["array"] += 1  # it is no one else's


@pytest.mark.parametrize("size", [0, 199_000, 262_000, 262_110, 262_144, 262_200, 500_000])
def test_an_answer_is_the_same_around_what_is_read_at_once(size):
    assert with_process(lambda process: process.run(bytes, size)) == bytes(size)


def test_it_works_on_the_event_loop_of_ray_serve():
    uvloop = pytest.importorskip(
        "uvloop", reason="uvloop, which Ray Serve brings, is not installed"
    )

    async def ask(process):
        found = await process.run(numbers, 300_000)
        with pytest.raises(ProcessDied):
            await process.run(os.abort)
        assert process.has_ended()
        return len(found["array"])

    assert with_process(ask, uvloop.run) == 300_000


def test_it_takes_what_is_large():
    data = os.urandom(5_000_000)
    assert with_process(lambda process: process.run(bytes, data)) == data


def test_an_error_is_raised_here_with_where_it_was_and_the_next_task_is_done():
    async def ask(process):
        with pytest.raises(ValueError, match="too big") as caught:
            await process.run(refuse, "too big")
        assert "in refuse" in caught.value.__notes__[0]
        for function in (refuse_unsendably, unsendable_result):
            with pytest.raises(Exception, match=r"it says this|pickle"):
                await process.run(function)
        return await process.run(os.getpid)

    assert with_process(ask) not in (0, os.getpid())


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_process_that_dies_at_a_task_says_how(kind):
    async def ask(process):
        pid = await process.run(os.getpid)
        with pytest.raises(ProcessDied) as caught:
            await process.run(os.kill, pid, kind)
        assert not process.is_free
        return caught.value.exit_code

    assert with_process(ask) == -kind


def test_a_process_that_dies_while_it_waits_is_seen_before_it_is_given_a_task():
    async def ask(process):
        os.kill(await process.run(os.getpid), signal.SIGKILL)
        async with asyncio.timeout(10):
            while not process.has_ended():
                await asyncio.sleep(0.01)
        with pytest.raises(ProcessDied):
            await process.run(os.getpid)

    with_process(ask)


def test_a_task_that_is_given_up_leaves_a_process_that_takes_no_more():
    async def ask(process):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await process.run(time.sleep, 60)
        assert not process.is_free
        process.end()
        process.end()  # nothing happens

    with_process(ask)


def test_an_answer_that_comes_after_its_task_was_given_up_is_dropped():
    async def ask(process):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await process.run(time.sleep, 0.3)
        await asyncio.sleep(0.6)  # what an event loop cannot raise, it logs
        assert not process.has_ended()

    with_process(ask)


def test_who_waits_for_a_process_that_is_ended_is_cancelled_and_blames_no_file():
    async def ask(process):
        asked = asyncio.ensure_future(process.run(time.sleep, 60))
        await asyncio.sleep(0.1)
        process.end()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(10):
                await asked

    with_process(ask)


def test_a_process_that_was_never_listened_to_ends():
    process = TaskProcess.start(multiprocessing.get_context("forkserver"), nothing)
    process.end()
    assert process.has_ended()
