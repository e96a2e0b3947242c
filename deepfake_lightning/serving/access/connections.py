"""One connection: what a client may not do before there is a request that the app could refuse."""

from __future__ import annotations

import asyncio
import resource
import socket
import uuid
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from deepfake_lightning.serving.access.doors import OTHER
from deepfake_lightning.serving.access.security_headers import completed
from deepfake_lightning.serving.access.writing import WritesTogether
from deepfake_lightning.serving.answers import Exchange, Refusal, refuse
from deepfake_lightning.serving.telemetry.json_logs import log_request

HEAD_SECONDS = 10.0
"""That the head of a request may take, from its first byte or the connection's begin."""
READ_SECONDS = 30.0
"""That an answer, as far as it is ready, may wait for the client to read it."""
_MOST_CONNECTIONS = 1000
_HEAD = 64 * 1024  # bytes of a head, of trailers, or of what is not yet seen to be anything
_FREE_PIECES = 1000  # of a body; reading so many takes some 30 ms
_SMALLEST_PIECE = 64  # bytes, on average, of a body in more pieces than that
_OF_UPGRADES = (b"connection", b"http2-settings", b"upgrade")
_MALFORMED = Refusal(
    400, "malformed", "this is no request of HTTP/1.1 that can be read",
    "send a method that there is, a head of less than 64 KiB, and a body as long as it says, in "
    f"pieces of {_SMALLEST_PIECE} bytes or more",
)  # fmt: skip


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with bounds that it lacks, and with this server's answers.

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
        self._in_head = False
        self._fields = self._unheard = 0  # bytes
        self._pieces = self._bytes = 0
        self._refusal: Refusal | None = None

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
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Write what is answered already; the connection is closed after this."""
        self.transport.flush()  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether a head is still missing."""
        if self._refusal is not None or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._unheard += len(data)
        try:
            self._feed(data)
        except HttpParserError:
            self._refuse(_MALFORMED)
        else:
            if self._unheard > _HEAD:  # a field or the like that has no end
                self._refuse(_MALFORMED)
        self._watch()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = True
        self._fields = self._pieces = self._bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers come when the app has the headers, and are dropped."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer, if all say of the request the same (RFC 9112, 3.2 and 6.1)."""
        self._in_head, self._unheard = False, 0
        if self.parser.should_upgrade():  # see _feed
            return
        names = [name for name, _ in self.headers]
        coded = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        version = self.parser.get_http_version()
        if names.count(b"host") != 1 and not (version == "1.0" and b"host" not in names):
            raise ValueError("a request names its host once")
        if version not in ("1.0", "1.1") or coded not in ([], [b"chunked"]):
            raise ValueError("no HTTP/1, or of another coding than the chunked one")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; reading many small ones takes far longer than sending them."""
        self._unheard = 0
        self._pieces += 1
        self._bytes += len(body)
        if self._pieces > _FREE_PIECES and self._bytes < _SMALLEST_PIECE * self._pieces:
            raise ValueError("the pieces of the body are too small")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that all of a request is here."""
        self._unheard = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note since when there is nothing to do; uvicorn closes what is idle for long."""
        self._waits_since = self.loop.time()
        super().on_response_complete()
        if self._refusal is not None and self.is_waiting:
            self._say(self._refusal)
        elif self._in_head:  # the next request has begun
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

    def _feed(self, data: bytes) -> None:
        """Parse what came.

        Some clients (Java's) ask with each request whether they may go on in another protocol, and
        the parser takes a body for the first bytes of that. They may not: it is told nothing of
        such wishes.
        """
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as stopped:
            method, version = self.parser.get_method(), self.parser.get_http_version().encode()
            if method == b"CONNECT":
                raise HttpParserError("this is no proxy") from None
            self.parser = HttpRequestParser(self)
            lines = [b"%s: %s\r\n" % each for each in self.headers if each[0] not in _OF_UPGRADES]
            head = b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(lines))
            self._feed(head + data[stopped.args[0] :])

    def _count(self, size: int) -> None:
        self._unheard = 0
        self._fields += size
        if self._fields > _HEAD:
            raise ValueError("the head or the trailers are too long")

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
        if not self._in_head and not self._unheard:  # nothing was asked
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
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            cycle.disconnected = True  # what the app says of a broken body comes too late
            cycle.message_event.set()
            if self.pipeline:
                self.pipeline.popleft()
                cycle.response_complete = True
                return
            if cycle.response_started:
                self.transport.close()
                return
        elif not self.is_waiting:
            return
        self._say(refusal)

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
