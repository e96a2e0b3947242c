"""Who may ask: ASGI middleware that acts before a body is in memory."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from deepfake_lightning.serving.access.callers import LOCAL, OPERATOR, Caller
from deepfake_lightning.serving.access.doors import Door, door_of
from deepfake_lightning.serving.access.guesses import Guesses
from deepfake_lightning.serving.access.request_headers import (
    address_of,
    bearer,
    header,
    without_port,
)
from deepfake_lightning.serving.access.tokens import TokenStore
from deepfake_lightning.serving.answers import Refusal, exchange_of, refuse

_FORWARDED = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto",
     b"x-real-ip"}
)  # fmt: skip


@lru_cache(maxsize=64)  # each request names one, and nearly all the same
def is_loopback(host: str) -> bool:
    """Return whether a host's name or address can only mean this machine."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Asks for a token, and looks at what it is good for; notes the caller in the exchange.

    Where there are tokens, each path needs one but those that
    :mod:`~deepfake_lightning.serving.access.doors` calls open. Once a server has asked for tokens
    it always does: it is not open to all when the last one is revoked.

    Where there is none, whoever names this machine is its operator. A page in a browser can reach
    this machine under a name of its own that points here (DNS rebinding), or send a picture here
    though it cannot read the answer: so the name and the page's origin have to be this machine's.

    Args:
        app: what answers.
        token: the operator's, good for all; None without one.
        tokens: of callers; None without any.
        guesses: counts wrong tokens.
        asks: whether tokens were asked for when the server began.
        doors: what each path asks of a caller.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        tokens: TokenStore | None = None,
        guesses: Guesses | None = None,
        asks: bool = False,
        doors: Callable[[str], Door] = door_of,
    ) -> None:
        self._app = app
        self._doors = doors
        self._operator = hashlib.sha256(token.encode()).digest() if token else None
        self._tokens = tokens
        self._guesses = guesses or Guesses()
        self._asks = asks or token is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._asks = self._asks or bool(self._tokens)
        refusal = self._refusal_by_token(scope) if self._asks else self._refusal_by_name(scope)
        answer = refuse(scope, refusal) if refusal else self._app
        await answer(scope, receive, send)

    def _refusal_by_name(self, scope: Scope) -> Refusal | None:
        host = header(scope, b"host").decode("latin-1")
        origin = header(scope, b"origin").decode("latin-1").rpartition("://")[2]
        if any(name in _FORWARDED for name, _ in scope["headers"]):
            return Refusal(
                403, "proxy", "a proxy sends requests here, and no token is asked for",
                "make tokens (deepfake-lightning token create NAME): else whoever reaches the "
                "proxy is this server's operator",
            )  # fmt: skip
        names_this = is_loopback(without_port(host))
        of_this = not origin or is_loopback(without_port(origin))
        if names_this and of_this and is_loopback(address_of(scope)):
            exchange_of(scope).caller = LOCAL
            return None
        return Refusal(
            403,
            "host",
            "this server answers on this machine only",
            "ask for http://127.0.0.1 or http://localhost, or start the server with a token",
        )

    def _refusal_by_token(self, scope: Scope) -> Refusal | None:
        door = self._doors(scope["path"])
        is_open = door.opens_to(scope["method"])
        token = bearer(scope)
        caller = None
        if token is not None:
            seconds = self._guesses.seconds_left(address_of(scope), token)
            if seconds and not is_open:
                return _too_many_guesses(seconds)
            caller = None if seconds else self._find(scope, token)
        exchange_of(scope).caller = caller
        if is_open:
            return None
        return _no_token() if caller is None else _lack(door, caller)

    def _find(self, scope: Scope, token: bytes) -> Caller | None:
        caller = self._tokens.find(token) if self._tokens is not None else None
        if self._operator is not None:
            digest = hashlib.sha256(token).digest()
            caller = OPERATOR if hmac.compare_digest(digest, self._operator) else caller
        self._guesses.note(address_of(scope), token, caller is not None)
        return caller


def _no_token() -> Refusal:
    return Refusal(
        401,
        "token",
        "the token is missing or wrong, has ended or was revoked",
        "send the header `Authorization: Bearer TOKEN`",
        {"WWW-Authenticate": "Bearer"},
    )


def _lack(door: Door, caller: Caller) -> Refusal | None:
    if door.scope is None or caller.may(door.scope):
        return None
    return Refusal(
        403,
        "scope",
        f"the token is for {', '.join(sorted(caller.scopes))}, and this needs {door.scope}",
        f"ask who runs the server for one: deepfake-lightning token create NAME "
        f"--scopes {door.scope}",
        {
            "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{door.scope}"'
        },  # RFC 6750
    )


def _too_many_guesses(seconds: int) -> Refusal:
    return Refusal(
        429,
        "guesses",
        "too many wrong tokens came from this address",
        f"try again in {seconds} seconds",
        {"Retry-After": str(seconds)},
    )
