"""What every answer tells a browser: ASGI middleware."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.serving.answers import exchange_of, fault, refuse

logger = logging.getLogger(__name__)

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # `no-referrer` makes browsers send `Origin: null` with the page's own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_UNLESS_SAID = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


def _raw(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.lower().encode(): value.encode() for name, value in headers.items()}


_RAW_ALWAYS, _RAW_UNLESS_SAID = _raw(_ALWAYS), _raw(_UNLESS_SAID)


def completed(said: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with those that every answer has."""
    kept = [(name.lower(), value) for name, value in said if name.lower() not in _RAW_ALWAYS]
    names = {name for name, _ in kept}
    missing = [pair for pair in _RAW_UNLESS_SAID.items() if pair[0] not in names]
    return [*kept, *_RAW_ALWAYS.items(), *missing]


class SecurityHeaders:
    """Adds them to all answers, also to those about what no one expected.

    ``Cache-Control`` and ``Content-Security-Policy`` of the app's own are kept. An exception that
    comes through is answered here: Starlette would answer it outside of all middleware.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_safely(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message = {**message, "headers": completed(message.get("headers", ()))}
            await send(message)

        try:
            await self._app(scope, receive, send_safely)
        except Exception:
            if has_begun:  # the connection is closed: a cut answer must not look whole
                raise
            logger.exception("the server failed (request %s)", exchange_of(scope).request_id)
            await refuse(scope, fault())(scope, receive, send_safely)
