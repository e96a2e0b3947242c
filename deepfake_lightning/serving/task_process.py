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
from typing import Any, ParamSpec, Self, TypeVar, cast

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
        self._socket = line
        self._line = _Line()
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
            # Else it would wait in the middle of an answer for this end to read.
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _AT_ONCE)
            process = context.Process(target=_work, args=(theirs, prepare), daemon=True)
            process.start()
        return cls(process, ours)

    async def connect(self) -> None:
        """Listen to it on this event loop; then it can be given tasks."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._line, sock=self._socket)

    def has_ended(self) -> bool:
        """Return whether it ended while it had nothing to do."""
        return not self._line.is_open

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of a module returns there, or raise what it raises.

        Raises:
            ProcessDied: it ended at it.
        """
        self.is_free = False
        try:
            content, *buffers = await self._line.ask(pickle.dumps((function, args, kwargs)))
        except EOFError:
            await asyncio.to_thread(self._process.join, _END_SECONDS)
            raise ProcessDied(self._process.exitcode) from None
        self.is_free = True
        is_done, result = pickle.loads(content, buffers=buffers)
        if not is_done:
            raise result
        found: T = result
        return found

    def hang_up(self) -> None:
        """Give it no more tasks; on the event loop, before it is ended in another thread."""
        self.is_free = False
        self._line.close()

    def end(self) -> None:
        """End it, whatever it does, and cancel who waits for it; this waits a moment.

        Once it has ended, nothing happens.
        """
        self.hang_up()
        self._socket.close()
        with suppress(ValueError):  # it is closed already, or stuck in the kernel
            self._process.kill()
            self._process.join(_END_SECONDS)
            self._process.close()


class _Line(asyncio.BufferedProtocol):
    """The end of a line at which answers come: nothing follows one before the next task.

    What there is of an answer is read at once, and copied once, out of what the next one is read
    into; only what is longer than that has a place of its own from then on.
    """

    def __init__(self) -> None:
        self.is_open = True
        self._first = memoryview(bytearray(_AT_ONCE))
        self._into, self._at = self._first, 0
        self._sizes: list[int] = []
        self._answer: asyncio.Future[list[memoryview]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another base
        if not self.is_open:  # it was closed before it was there
            self._transport.abort()

    async def ask(self, task: bytes) -> list[memoryview]:
        """Return the parts of the answer to a task.

        Raises:
            EOFError: there is none, as the other end is gone.
        """
        if self._transport is None or not self.is_open:
            raise EOFError
        self._answer = asyncio.get_running_loop().create_future()
        for part in _message([task]):
            self._transport.write(part)
        return await self._answer

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to put what comes next."""
        return self._into[self._at :]

    def buffer_updated(self, nbytes: int) -> None:
        """See whether the answer is whole."""
        self._at += nbytes
        if self._into is self._first and not self._began():
            return
        if self._at == len(self._into):
            parts = _cut(self._into, self._sizes)
            self._into, self._at = self._first, 0
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(parts)

    def _began(self) -> bool:
        """Give the answer a place once its sizes are there; return whether it has one."""
        if self._at < _COUNT.size:
            return False
        head = _COUNT.size + _COUNT.unpack_from(self._first)[0] * _LENGTH.size
        if self._at < head:
            return False
        self._sizes = [length for (length,) in _LENGTH.iter_unpack(self._first[_COUNT.size : head])]
        came, size = self._first[head : self._at], sum(self._sizes)
        self._at -= head
        self._into = memoryview(bytearray(came if self._at == size else size))
        self._into[: self._at] = came
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(EOFError())

    def close(self) -> None:
        """Hang up; who waits for an answer is cancelled. A second time nothing happens."""
        self.is_open = False
        if self._answer is not None:
            self._answer.cancel()
        if self._transport is not None:
            self._transport.abort()


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
