"""The head of an answer and its body, written at once."""

from __future__ import annotations

import asyncio
from typing import Any

_AT_ONCE = 64 * 1024  # bytes; what is larger is not copied once more


class WritesTogether:
    """A transport that writes once what is given to it in one turn of the event loop.

    Each write is a call of the kernel, and wakes who reads: a client that has the head alone begins
    to run where this process has not written the body yet.

    Args:
        transport: what writes. All else is asked of it.
        loop: its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        """Return what the transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write soon, before anything else happens on the loop."""
        if len(data) > _AT_ONCE:
            self.flush()
            self._transport.write(data)
        elif data:
            if not self._parts:
                self._loop.call_soon(self.flush)
            self._parts.append(data)
            self._size += len(data)
            if self._size > _AT_ONCE:  # the transport says when it has too much
                self.flush()

    def close(self) -> None:
        """Close it once all is written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write now."""
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            self._transport.write(data)
