"""What a client may send on a connection: HTTP/1 that can be read in one way, of bounded parts."""

from __future__ import annotations

from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SMALLEST_PIECE = 64
"""Bytes, on average, of a body in more than a thousand pieces."""
_FREE_PIECES = 1000  # reading so many takes some 30 ms
_HEAD = 64 * 1024  # bytes of a head, of trailers, or of what is not yet seen to be anything
_MOST_WAITING = 64  # requests in one piece beside the one that is answered
_OF_UPGRADES = (b"connection", b"http2-settings", b"upgrade")


class StrictProtocol(HttpToolsProtocol):
    """uvicorn's connection with what it lacks: bounds, and no leave to read a request in two ways.

    Attributes:
        in_head: whether a head has begun and is not yet here.
        in_body: whether a body has, or trailers.
        unheard: bytes since the last part that was complete.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.in_head = self.in_body = False
        self.unheard = self._fields = 0
        self._pieces = self._bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._unset_keepalive_if_required()
        self.unheard += len(data)
        try:
            self._feed(data)
        except HttpParserError:
            self.refuse_malformed()
        else:
            if self.unheard > _HEAD:  # a field or the like that has no end
                self.refuse_malformed()

    def refuse_malformed(self) -> None:
        """Be told that what came is none of this; the parser can go on with nothing."""
        raise NotImplementedError

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.in_head = True
        self._fields = self._pieces = self._bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers come when the app has the headers, and are dropped."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        if self.in_head:
            # Blanks around a value are no part of it (RFC 9110, 5.5).
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Begin to answer, if it can be read in one way (RFC 9112, 3.2 and 6.1)."""
        self.in_head, self.unheard = False, 0
        if self.parser.should_upgrade():  # see _feed
            return
        names = [name for name, _ in self.headers]
        coded = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        version = self.parser.get_http_version()
        if names.count(b"host") != 1 and not (version == "1.0" and b"host" not in names):
            raise ValueError("a request names its host once")
        if version not in ("1.0", "1.1") or coded not in ([], [b"chunked"]):
            raise ValueError("no HTTP/1, or of another coding than the chunked one")
        if not self.url.startswith(b"/") and self.url != b"*":  # it may name another host
            raise ValueError("the target is no path")
        if len(self.pipeline) >= _MOST_WAITING:
            raise ValueError("too many requests before the first is answered")
        self.expect_100_continue &= version == "1.1"
        super().on_headers_complete()
        self.in_body = True

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; reading many small ones takes far longer than sending them."""
        self.unheard = 0
        self._pieces += 1
        self._bytes += len(body)
        if self._pieces > _FREE_PIECES and self._bytes < SMALLEST_PIECE * self._pieces:
            raise ValueError("the pieces of the body are too small")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that all of a request is here."""
        self.in_body, self.unheard = False, 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        """Parse what came.

        Some clients (Java's) ask with each request whether they may go on in another protocol, and
        the parser takes a body for the first bytes of that. They may not: it is told nothing of
        such wishes.
        """
        while data:
            try:
                self.parser.feed_data(data)
                return
            except HttpParserUpgrade as stopped:
                data = self._without_wish() + data[stopped.args[0] :]

    def _without_wish(self) -> bytes:
        """Return the head that was just read for a new parser, without a wish for an upgrade."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            raise HttpParserError("this is no proxy")
        self.parser = HttpRequestParser(self)
        lines = [b"%s: %s\r\n" % each for each in self.headers if each[0] not in _OF_UPGRADES]
        said = b",".join(value for name, value in self.headers if name == b"connection")
        if b"close" in (token.strip().lower() for token in said.split(b",")):
            lines.append(b"connection: close\r\n")
        return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(lines))

    def _count(self, size: int) -> None:
        self.unheard = 0
        self._fields += size
        if self._fields > _HEAD:
            raise ValueError("the head or the trailers are too long")
