"""One connection: what a client may not do before there is a request that the app could refuse."""

from __future__ import annotations

import asyncio
import resource
import socket
import uuid
from typing import Any

import h11
from h11._connection import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE
from uvicorn.protocols.http.h11_impl import H11Protocol

from deepfake_lightning.serving.access.doors import OTHER
from deepfake_lightning.serving.access.security_headers import completed
from deepfake_lightning.serving.answers import Exchange, Refusal, refuse
from deepfake_lightning.serving.telemetry.json_logs import log_request

HEAD_SECONDS = 10.0
"""That the head of a request may take, from its first byte or the connection's begin."""
READ_SECONDS = 30.0
"""That an answer, as far as it is ready, may wait for the client to read it."""
_MOST_CONNECTIONS = 1000
_FREE_PIECES = 1000  # of a body; reading so many takes some 30 ms
_SMALLEST_PIECE = 64  # bytes, on average, of a body in more pieces than that


class Connection(H11Protocol):
    """uvicorn's connection, with bounds that it lacks, and with this server's answers.

    A head has to come within :data:`HEAD_SECONDS`, and an answer of which more than 64 KiB wait in
    memory has to be read within :data:`READ_SECONDS`. There are as many connections as half of the
    files that the process may open, and 1,000 at most: one more takes the place of the one that
    has waited longest without a request. So those who only hold connections keep no one out. What
    is no HTTP is answered in the shape of all refusals.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = self.config.h11_max_incomplete_event_size or DEFAULT_MAX_INCOMPLETE_EVENT_SIZE
        self.conn = _Parser(h11.SERVER, most)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._waits_since = self.loop.time()

    @property
    def is_waiting(self) -> bool:
        """Whether there is no request under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room where there is none, and wait for a head."""
        super().connection_made(transport)
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
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether a head is still missing."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Note since when there is nothing to do; uvicorn closes what is idle for long."""
        self._waits_since = self.loop.time()
        super().on_response_complete()
        if self.conn.trailing_data[0]:  # the next request has begun
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

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and hang up."""
        self._refuse(
            Refusal(400, "malformed", "this is no request of HTTP/1.1 that can be read",
                    "send a head of less than 64 KiB, and a body as long as it says, in pieces of "
                    f"{_SMALLEST_PIECE} bytes or more")
        )  # fmt: skip

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
        if not self.conn.trailing_data[0]:  # nothing was asked
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
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # what the app says comes too late
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            exchange = Exchange(uuid.uuid4().hex)
            answer = refuse({"state": {"exchange": exchange}}, refusal)
            headers = [*answer.raw_headers, (b"x-request-id", exchange.request_id.encode()),
                       (b"connection", b"close")]  # fmt: skip
            log_request(exchange.request_id, route=OTHER, status=refusal.status, milliseconds=0.0,
                        size=0, error=refusal.code)  # fmt: skip
            for event in (
                h11.Response(status_code=refusal.status, headers=completed(headers)),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _Parser(h11.Connection):
    """Refuses a body in pieces so small that reading them takes far longer than sending them."""

    _pieces = _bytes = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > _FREE_PIECES and self._bytes < _SMALLEST_PIECE * self._pieces:
                raise h11.RemoteProtocolError("the pieces of the body are too small")
        return event


def most_connections() -> int:
    """Return how many connections a process has: pictures, logs and decoders need files, too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, soft // 2)
    )
