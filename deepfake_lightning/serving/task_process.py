"""A process that does one task after another, asked and heard on an event loop without threads.

A message is a count, as many lengths, and as many parts: a pickle, and the arrays of which it
speaks. So the pixels of a long clip are neither copied nor do they hold the loop up.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import signal
import socket
import struct
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Buffer = bytes | bytearray | memoryview

_COUNT, _LENGTH = struct.Struct("!I"), struct.Struct("!Q")
_TOGETHER = 1 << 20  # bytes of a message that are copied so that they are sent at once
_AT_ONCE = 1 << 18  # bytes that are read of an answer: more than a crop of 224 x 224 pixels
_END_SECONDS = 5.0
_OUT_OF_BAND = 5  # version of pickle that leaves arrays out


class ProcessDied(Exception):
    """A process has ended before it answered.

    Args:
        exit_code: as of :class:`multiprocessing.Process`: below 0 a signal; None if not known.
    """

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


class TaskProcess:
    """A process, and this end of the line to it. Only one task at a time may run.

    Args:
        process: that has been started.
        line: to it.

    Attributes:
        is_free: whether it can be given a task: not while it works, nor when a task was given up.
    """

    def __init__(self, process: multiprocessing.process.BaseProcess, line: socket.socket) -> None:
        self._process = process
        self._line = line
        self.is_free = True

    @classmethod
    def start(cls, context: ForkServerContext, prepare: Callable[[], None]) -> Self:
        """Start a process; this waits until it is there, and the first time for imports.

        Args:
            context: that makes it.
            prepare: is called in it, before its first task.
        """
        ours, theirs = socket.socketpair()
        with theirs:  # this process' copy: the end of the other one ends the line
            process = context.Process(target=_work, args=(theirs, prepare), daemon=True)
            process.start()
        ours.setblocking(False)
        return cls(process, ours)

    def has_ended(self) -> bool:
        """Return whether it ended while it had nothing to do."""
        try:
            return not self._line.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of a module returns there, or raise what it raises.

        Raises:
            ProcessDied: it ended at it.
        """
        self.is_free = False
        loop = asyncio.get_running_loop()
        task = _message([pickle.dumps((function, args, kwargs))])
        try:
            for part in task:
                await loop.sock_sendall(self._line, part)
            content, *buffers = await self._receive(loop)
        except (EOFError, ConnectionError):
            await asyncio.to_thread(self._process.join, _END_SECONDS)
            raise ProcessDied(self._process.exitcode) from None
        self.is_free = True
        is_done, result = pickle.loads(content, buffers=buffers)
        if not is_done:
            raise result
        found: T = result
        return found

    async def _receive(self, loop: asyncio.AbstractEventLoop) -> list[memoryview]:
        # Nothing follows an answer before the next task: what there is is read at once.
        first = await self._read(loop, b"", _COUNT.size)
        head = _COUNT.size + _COUNT.unpack_from(first)[0] * _LENGTH.size
        first = await self._read(loop, first, head)
        sizes = [length for (length,) in _LENGTH.iter_unpack(first[_COUNT.size : head])]
        data, at = bytearray(sum(sizes)), len(first) - head
        data[:at] = memoryview(first)[head:]
        whole = memoryview(data)
        while at < len(whole):
            got = await loop.sock_recv_into(self._line, whole[at:])
            if not got:
                raise EOFError
            at += got
        return _cut(whole, sizes)

    async def _read(self, loop: asyncio.AbstractEventLoop, data: bytes, least: int) -> bytes:
        """Return data with what comes after, so many bytes at least."""
        while len(data) < least:
            more = await loop.sock_recv(self._line, _AT_ONCE)
            if not more:
                raise EOFError
            data += more
        return data

    def end(self) -> None:
        """End it, whatever it does; this waits a moment. Once it has ended, nothing happens."""
        self.is_free = False
        self._line.close()
        with suppress(ValueError):  # it is closed already, or stuck in the kernel
            self._process.kill()
            self._process.join(_END_SECONDS)
            self._process.close()


def _work(line: socket.socket, prepare: Callable[[], None]) -> None:
    """Do tasks until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; who asks ends this
    prepare()
    with suppress(EOFError, ConnectionError):
        while True:
            (task,) = _wait_for(line)
            for part in _answer(task):
                line.sendall(part)
            del task  # while it waits for the next one


def _answer(task: memoryview) -> Sequence[Buffer]:
    buffers: list[pickle.PickleBuffer] = []
    try:
        function, args, kwargs = pickle.loads(task)
        done: tuple[bool, Any] = True, function(*args, **kwargs)
        content = pickle.dumps(done, _OUT_OF_BAND, buffer_callback=buffers.append)
    except Exception as error:
        error.add_note(traceback.format_exc())
        buffers.clear()
        content = _dumped(error)
    return _message([content, *(buffer.raw() for buffer in buffers)])


def _dumped(error: Exception) -> bytes:
    """Return an error that can be raised elsewhere; one that cannot be sent as what it says."""
    try:
        content = pickle.dumps((False, error))
        pickle.loads(content)
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return content


def _message(parts: Sequence[Buffer]) -> Sequence[Buffer]:
    head = _COUNT.pack(len(parts)) + b"".join(_LENGTH.pack(len(part)) for part in parts)
    if sum(map(len, parts)) <= _TOGETHER:
        return [b"".join((head, *parts))]
    return [head, *parts]


def _wait_for(line: socket.socket) -> list[memoryview]:
    count = _COUNT.unpack(_read(line, _COUNT.size))[0]
    sizes = [length for (length,) in _LENGTH.iter_unpack(_read(line, count * _LENGTH.size))]
    return _cut(_read(line, sum(sizes)), sizes)


def _read(line: socket.socket, size: int) -> memoryview:
    data = memoryview(bytearray(size))
    at = 0
    while at < size:
        got = line.recv_into(data[at:])
        if not got:
            raise EOFError
        at += got
    return data


def _cut(data: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return parts
