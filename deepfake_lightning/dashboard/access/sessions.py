"""Sessions: a cookie that stands for a token, for some hours.

The cookie is 256 random bits. What it stands for is kept in this process alone, by the cookie's
hash, so nothing in it can be forged or read, and who takes a token away (``token revoke``) ends its
sessions with it: the guard looks at the token at each request.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.monitoring.log import new_request_id
from deepfake_lightning.serving.access.request_headers import bearer, header
from deepfake_lightning.serving.answers import Exchange

COOKIE = "deepfake_dashboard"
HOURS = 12
_MOST = 1000


class SessionStore:
    """The sessions of a process.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._known: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def begin(self, token: bytes) -> str:
        """Return the cookie of a new session of a token; the oldest of 1,000 ends for it."""
        cookie = secrets.token_urlsafe(32)
        with self._guard:
            self._known[_hash(cookie)] = (token, self._clock() + HOURS * 3600)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return cookie

    def token_of(self, cookie: str) -> bytes | None:
        """Return the token that a cookie stands for, None where it stands for none any more."""
        with self._guard:
            token, until = self._known.get(_hash(cookie), (None, 0.0))
        return token if self._clock() < until else None

    def end(self, cookie: str) -> None:
        """End a session."""
        with self._guard:
            self._known.pop(_hash(cookie), None)


class Sessions:
    """ASGI middleware: puts the token of a session where callers put theirs.

    Args:
        app: what answers; the guard is in it.
        store: of the sessions.
    """

    def __init__(self, app: ASGIApp, *, store: SessionStore) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now_us = time.time_ns() // 1000
        scope.setdefault("state", {})["exchange"] = Exchange(new_request_id(now_us))
        token = None if bearer(scope) else self._store.token_of(cookie_of(scope))
        if token is not None:
            given = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
            scope = {**scope, "headers": [*given, (b"authorization", b"Bearer " + token)]}
        opens = scope["method"] == "GET" and b"text/html" in header(scope, b"accept")

        async def send_on(message: Message) -> None:
            """Lead who opens a page and may not to the login."""
            if opens and message["type"] == "http.response.start" and message["status"] == 401:
                headers = [(b"location", _login(scope)), (b"cache-control", b"no-store")]
                message = {**message, "status": 303, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_on)


def cookie_of(scope: Scope) -> str:
    """Return the session's cookie; nothing without one."""
    # Other programs of this machine set cookies, too, which Python's own parser may stumble over.
    return cookie_parser(header(scope, b"cookie").decode("latin-1")).get(COOKIE, "")


def _login(scope: Scope) -> bytes:
    query = scope.get("query_string", b"").decode("latin-1")
    asked = scope["path"] + (f"?{query}" if query else "")
    return f"/login?{urlencode({'to': asked})}".encode() if asked != "/" else b"/login"


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()
