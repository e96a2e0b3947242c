"""What Ray Serve's proxy does with answers on their way out."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ID = b"x-request-id"


def middleware() -> list[Middleware]:
    """Return what the proxy is told to put around its own; it calls this when it starts."""
    return [Middleware(OneRequestId)]


class OneRequestId:
    """ASGI middleware that leaves the app's request id in an answer: the proxy adds its own to it.

    Answers of the proxy itself keep the proxy's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_one(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(bytes(name), bytes(value)) for name, value in message["headers"]]
                first = next((pair for pair in headers if pair[0].lower() == _ID), None)
                message["headers"] = [pair for pair in headers
                                      if pair is first or pair[0].lower() != _ID]  # fmt: skip
            await send(message)

        await self._app(scope, receive, send_one)
