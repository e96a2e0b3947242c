"""One connection: what a client may not do before there is a request that the app could refuse."""

from __future__ import annotations

import asyncio
import resource
import socket
import uuid
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from deepfake_lightning.serving.access.doors import OTHER
from deepfake_lightning.serving.access.security_headers import completed
from deepfake_lightning.serving.access.strict_http import SMALLEST_PIECE, StrictProtocol
from deepfake_lightning.serving.access.writing import WritesTogether
from deepfake_lightning.serving.answers import Exchange, Refusal, refuse
from deepfake_lightning.serving.telemetry.json_logs import log_request

HEAD_SECONDS = 10.0
"""That the head of a request may take, from its first byte or the connection's begin."""
READ_SECONDS = 30.0
"""That an answer, as far as it is ready, may wait for the client to read it."""
_MOST_CONNECTIONS = 1000
_MALFORMED = Refusal(
    400, "malformed", "this is no request of HTTP/1.1 that can be read",
    "send a method that there is, a path, a head of less than 64 KiB, and a body as long as it "
    f"says, in pieces of {SMALLEST_PIECE} bytes or more",
)  # fmt: skip


class Connection(StrictProtocol):
    """A connection whose time is bounded, and on which what is no HTTP has an answer as all have.

    A head has to come within :data:`HEAD_SECONDS`, and an answer of which more than 64 KiB wait in
    memory has to be read within :data:`READ_SECONDS`. There are as many connections as half of the
    files that the process may open, and 1,000 at most: one more takes the place of the one that
    has waited longest without a request. So those who only hold connections keep no one out. What
    is no HTTP, or could be read in two ways, is answered in the shape of all refusals, after the
    requests before it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._waits_since = self.loop.time()
        self._refusal: Refusal | None = None
        self._running: RequestResponseCycle | None = None  # of several in one piece, the first

    @property
    def is_waiting(self) -> bool:
        """Whether there is no request under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room where there is none, and wait for a head."""
        super().connection_made(transport)
        self.transport = WritesTogether(transport, self.loop)  # type: ignore[assignment]
        if len(self.connections) > most_connections():
            self._make_room()
        # Without it the second part of an answer waits 40 ms for the client to confirm the first.
        # asyncio sets it, but not where the listening socket names no protocol.
        taken = transport.get_extra_info("socket")
        if taken is not None and taken.family != socket.AF_UNIX:
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_watching()
        self._is_read()
        if self._running is not None:  # uvicorn tells the last one alone
            self._give_up_on(self._running)
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Write what is answered already; the connection is closed after this."""
        self.transport.flush()  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether a head is still missing."""
        if self._refusal is not None or self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def refuse_malformed(self) -> None:
        """Answer what is no HTTP, and hang up."""
        self._refuse(_MALFORMED)

    def on_response_complete(self) -> None:
        """Note since when there is nothing to do; uvicorn closes what is idle for long."""
        self._waits_since = self.loop.time()
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._refusal is not None and self.is_waiting:
            self._say(self._refusal)
        elif self.in_head:  # the next request has begun
            self._watch()

    def pause_writing(self) -> None:
        """Wait for the client to read: what it does not read stays in memory."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: nearly all has been read."""
        self._is_read()
        super().resume_writing()

    def _watch(self) -> None:
        if not self.is_waiting or self.transport.is_closing():
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.is_waiting or self.transport.is_closing():
            return
        if not self.in_head and not self.unheard:  # nothing was asked
            self.transport.close()
            return
        fault = f"the head of the request was not sent within {HEAD_SECONDS:g} seconds"
        self._refuse(Refusal(408, "slow", fault, "send it again"))

    def _make_room(self) -> None:
        others = (each for each in self.connections if isinstance(each, Connection))
        waiting = (each for each in others if each is not self and each.is_waiting)
        oldest = min(waiting, key=lambda each: each._waits_since, default=self)
        oldest.transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot be read, as soon as what was asked before it is answered."""
        self._refusal = refusal
        cycle = self.cycle
        if self.in_body and not cycle.response_complete:
            if self.pipeline:  # its body is broken before it was begun with
                self.pipeline.popleft()
                assert self._running is not None
                self.cycle = self.pipeline[0][0] if self.pipeline else self._running
                return
            self._give_up_on(cycle)  # what the app says of a broken body comes too late
        elif not self.is_waiting:
            return
        if self.in_body and cycle.response_started:  # it has an answer
            self.transport.close()
        else:
            self._say(refusal)

    @staticmethod
    def _give_up_on(cycle: RequestResponseCycle) -> None:
        cycle.disconnected = True
        cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _say(self, refusal: Refusal) -> None:
        exchange = Exchange(uuid.uuid4().hex)
        answer = refuse({"state": {"exchange": exchange}}, refusal)
        headers = [*answer.raw_headers, (b"x-request-id", exchange.request_id.encode()),
                   (b"connection", b"close")]  # fmt: skip
        log_request(exchange.request_id, route=OTHER, status=refusal.status, milliseconds=0.0,
                    size=0, error=refusal.code)  # fmt: skip
        lines = [b"%s: %s\r\n" % pair for pair in completed(headers)]
        head = b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n"])
        self.transport.write(head + bytes(answer.body))
        self.transport.close()


def most_connections() -> int:
    """Return how many connections a process has: pictures, logs and decoders need files, too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, soft // 2)
    )
