"""The line to a process that does tasks: its messages, and its end on an event loop.

A message is a count, as many lengths, and as many parts.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import cast

Buffer = bytes | bytearray | memoryview

AT_ONCE = 1 << 18  # bytes that are read of an answer: more than a crop of 224 x 224 pixels
_TOGETHER = 1 << 20  # bytes of a message that are copied so that they are sent at once
_COUNT, _LENGTH = struct.Struct("!I"), struct.Struct("!Q")


class TaskLine(asyncio.BufferedProtocol):
    """The end of a line that gives tasks and hears answers: nothing follows one before the next.

    What there is of an answer is read at once, and copied once, out of what the next one is read
    into; only what is longer than that has a place of its own from then on.

    Attributes:
        is_open: whether the other end is there, as far as is heard.
    """

    def __init__(self) -> None:
        self.is_open = True
        self._first = memoryview(bytearray(AT_ONCE))
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
        for part in message([task]):
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


def message(parts: Sequence[Buffer]) -> Sequence[Buffer]:
    """Return what is to be sent, one after the other, so that the parts arrive."""
    head = _COUNT.pack(len(parts)) + b"".join(_LENGTH.pack(len(part)) for part in parts)
    if sum(map(len, parts)) <= _TOGETHER:
        return [b"".join((head, *parts))]
    return [head, *parts]


def receive(line: socket.socket) -> list[memoryview]:
    """Wait for a message at the end of a line that blocks, and return its parts.

    Raises:
        EOFError: the other end is gone.
    """
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
