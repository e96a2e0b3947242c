"""The line to a process that does tasks: messages arrive as they were, however they are cut."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.serving.task_line import AT_ONCE, TaskLine, message, receive


async def heard(pieces, count=1):
    """Return what a line hears of answers that come in pieces."""
    ours, theirs = socket.socketpair()
    with theirs:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_unix_connection(TaskLine, sock=ours)
        answers = []
        for _ in range(count):
            asked = asyncio.ensure_future(line.ask(b"task"))
            for piece in pieces:
                await loop.run_in_executor(None, theirs.sendall, piece)
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                answers.append(await asked)
        line.close()
    return answers


@pytest.mark.parametrize("step", [1, 3, 5, 64, 1000])
def test_an_answer_is_the_same_wherever_it_is_cut(step):
    """Its head, the sizes and the rest come in pieces, as the kernel has room."""
    parts = [b"", b"a", os.urandom(300), b"", os.urandom(500)]
    (whole,) = message(parts)
    pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
    assert asyncio.run(heard(pieces, 2)) == [parts, parts]


@settings(max_examples=50, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=60) | st.integers(0, 2 * AT_ONCE).map(bytes), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=5),
)
def test_any_parts_arrive_in_any_pieces(parts, cuts):
    whole = b"".join(message(parts))
    ends = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})
    pieces = [whole[at:end] for at, end in itertools.pairwise(ends)]
    assert asyncio.run(heard(pieces)) == [parts]


@pytest.mark.parametrize("size", [0, 500, 3_000_000])
def test_the_end_that_blocks_receives_what_was_sent(size):
    ours, theirs = socket.socketpair()
    parts = [b"first", os.urandom(size)]
    with ours, theirs:
        sender = threading.Thread(target=lambda: [ours.sendall(part) for part in message(parts)])
        sender.start()
        assert receive(theirs) == parts
        sender.join()


@pytest.mark.parametrize("kept", [0, 2, 4, 11, 40])
def test_a_line_that_ends_within_a_message_says_so(kept):
    (whole,) = message([bytes(10), bytes(20)])
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(whole[:kept])
        with pytest.raises(EOFError):
            receive(theirs)


@pytest.mark.parametrize("kept", [0, 2, 4, 11, 40])
def test_who_waits_is_told_when_the_other_end_goes_within_an_answer(kept):
    (whole,) = message([bytes(10), bytes(20)])

    async def ask():
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        _, line = await loop.create_unix_connection(TaskLine, sock=ours)
        with theirs:
            asked = asyncio.ensure_future(line.ask(b"task"))
            theirs.sendall(whole[:kept])
            await asyncio.sleep(0.01)
            assert line.is_open
        with pytest.raises(EOFError):
            async with asyncio.timeout(10):
                await asked
        assert not line.is_open
        with pytest.raises(EOFError):
            await line.ask(b"another")

    asyncio.run(ask())
