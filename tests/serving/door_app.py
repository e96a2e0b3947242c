"""The middleware of a server around a small app that says what reached it.

Run as ``python door_app.py LOGS TOKENS``: it serves on loopback, prints its address, and logs to
the folder LOGS. The operator's token comes from the environment.
"""

import asyncio
import sys
import time
import uuid
from pathlib import Path

import httpx
from starlette.responses import JSONResponse

from deepfake_lightning.serving.access.doors import door_of
from deepfake_lightning.serving.access.guard import Guard
from deepfake_lightning.serving.access.limits import BodyLimit
from deepfake_lightning.serving.access.rates import RateLimit
from deepfake_lightning.serving.access.security_headers import SecurityHeaders
from deepfake_lightning.serving.access.tokens import TokenStore
from deepfake_lightning.serving.answers import Exchange, Refusal, refuse
from deepfake_lightning.serving.telemetry.json_logs import REQUEST_ID, log_request, set_up_logs


class Begin:
    """Begins the exchange, and logs it when it is answered: the request log does so, too."""

    def __init__(self, app):
        self.app = app
        self.exchanges = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        exchange = Exchange(uuid.uuid4().hex)
        exchange.caller = None
        scope.setdefault("state", {})["exchange"] = exchange
        self.exchanges.append(exchange)
        REQUEST_ID.set(exchange.request_id)
        began, status = time.perf_counter(), 500

        async def note(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self.app(scope, receive, note)
        log_request(
            exchange.request_id, route=door_of(scope["path"]).route, status=status,
            milliseconds=1000 * (time.perf_counter() - began), size=exchange.size,
            caller=exchange.caller.name if exchange.caller else None, error=exchange.error,
        )  # fmt: skip


async def echo(scope, receive, send):
    """Read the body, and say who asked; ``/boom`` fails, ``/static/`` has headers of its own."""
    exchange = scope["state"]["exchange"]
    if scope["path"] == "/boom":
        raise ZeroDivisionError(f"of {dict(scope['headers'])}")
    try:
        more = True
        while more:
            more = (await receive()).get("more_body", False)
    except Refusal as refusal:
        await refuse(scope, refusal)(scope, receive, send)
        return
    own = {"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'self'"}
    caller = exchange.caller.name if exchange.caller else None
    answer = JSONResponse(
        {"caller": caller, "size": exchange.size},
        headers=own if scope["path"].startswith("/static/") else None,
    )
    await answer(scope, receive, send)


def ask(app, method, path, *, address="127.0.0.1", **more):
    """Return what an app answers to one request from an address."""

    async def asked():
        transport = httpx.ASGITransport(app, client=(address, 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **more)

    return asyncio.run(asked())


if __name__ == "__main__":
    from deepfake_lightning.serving.server import listen, make_server, read_token, url_of

    token = read_token()
    set_up_logs(Path(sys.argv[1]), 0, secrets=[token])
    guarded = Guard(RateLimit(echo), token=token, tokens=TokenStore(Path(sys.argv[2])))
    with listen("127.0.0.1", 0) as listener:
        print(url_of(listener), flush=True)
        app = Begin(SecurityHeaders(BodyLimit(guarded, max_bytes=10_000)))
        server = make_server(app)
        server.run(sockets=[listener])
