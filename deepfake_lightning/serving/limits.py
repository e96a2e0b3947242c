"""Who may ask, and how much may be sent: ASGI middleware that acts before a body is in memory."""

from __future__ import annotations

import hmac
import ipaddress

from anyio import move_on_after
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.serving.answers import HEALTH, Refusal, exchange_of, refuse

MAX_BYTES = 16 * 1024 * 1024
_LINGER_SECONDS = 2.0
_LARGEST_LOGGED = 2**63 - 1  # any number can be announced; a column has 64 bits


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address can only mean this machine."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Asks for the token; without one, refuses names of other machines.

    A page in a browser can reach this machine under a name of its own that points here (DNS
    rebinding). So without a token the request has to name this machine.

    Args:
        app: what answers.
        token: that callers must send, None where none is needed. The state of health is open.
    """

    def __init__(self, app: ASGIApp, *, token: str | None) -> None:
        self._app = app
        self._token = token.encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = self._refusal(scope)
        answer = refuse(scope, refusal) if refusal else self._app
        await answer(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Refusal | None:
        if self._token is None:
            host = _header(scope, b"host").decode("latin-1")
            origin = _header(scope, b"origin").decode("latin-1").rpartition("://")[2]
            # A page of another site can send a picture here, though it cannot read the answer.
            if is_loopback(_without_port(host)) and (
                not origin or is_loopback(_without_port(origin))
            ):
                return None
            return Refusal(
                403,
                "host",
                "this server answers on this machine only",
                "ask for http://127.0.0.1 or http://localhost, or start the server with a token",
            )
        scheme, _, given = _header(scope, b"authorization").partition(b" ")
        known = hmac.compare_digest(given.strip(), self._token)
        if scope["path"] == HEALTH or (known and scheme.lower() == b"bearer"):
            return None
        return Refusal(
            401,
            "token",
            "the token is missing or wrong",
            "send the header `Authorization: Bearer TOKEN`",
            {"WWW-Authenticate": "Bearer"},
        )


class BodyLimit:
    """Refuses bodies over a limit: at once where the length is announced, else as they come.

    Many clients send all of a body before they read the answer, and never see it where the
    connection is closed under them. So a limited part of the rest is thrown away first.

    Args:
        app: what answers. Its ``receive`` raises :class:`Refusal` at the limit.
        max_bytes: the limit.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = int(_header(scope, b"content-length") or 0)  # the server has checked it
        unread = announced > 0 or bool(_header(scope, b"transfer-encoding"))
        exchange = exchange_of(scope)

        async def receive_limited() -> Message:
            nonlocal unread
            if announced > self._max:
                exchange.size = min(announced, _LARGEST_LOGGED)
                raise self._too_large()
            message = await receive()
            unread = unread and message.get("more_body", False)
            exchange.size += len(message.get("body", b""))
            if exchange.size > self._max:
                raise self._too_large()
            return message

        async def send_and_linger(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            elif unread and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await self._throw_away(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app(scope, receive_limited, send_and_linger)

    async def _throw_away(self, receive: Receive) -> None:
        thrown, more = 0, True
        with move_on_after(_LINGER_SECONDS):
            while more and thrown < 2 * self._max:  # whole, where it is not far too large
                message = await receive()
                thrown += len(message.get("body", b""))
                more = message.get("more_body", False)

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            "too_large",
            f"the body has more than the limit of {self._max:,} bytes",
            "send a smaller picture",
        )


def _header(scope: Scope, name: bytes) -> bytes:
    """Return a header's value; nothing where it is missing or there are two."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else b""


def _without_port(host: str) -> str:
    if host.startswith("["):  # IPv6
        address, _, rest = host[1:].partition("]")
        return address if not rest or (rest[0] == ":" and rest[1:].isdecimal()) else host
    return host.rpartition(":")[0] if ":" in host else host
