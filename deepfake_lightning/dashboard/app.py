"""The dashboard's app: Dash on FastAPI, behind what guards the server, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dash import Dash
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.dashboard import callbacks, media, shell
from deepfake_lightning.dashboard.access import entry
from deepfake_lightning.dashboard.access.doors import ASSETS, LOGIN, MEDIA, door_of
from deepfake_lightning.dashboard.access.origin import FromPage
from deepfake_lightning.dashboard.access.sessions import Sessions, SessionStore
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.errors import StorageError
from deepfake_lightning.serving.access.guard import Guard
from deepfake_lightning.serving.access.security_headers import SecurityHeaders
from deepfake_lightning.serving.access.tokens import FILE as TOKENS
from deepfake_lightning.serving.access.tokens import TokenStore
from deepfake_lightning.serving.answers import (
    Refusal,
    on_fault,
    on_http_error,
    on_refusal,
    on_storage_error,
)

_HERE = Path(__file__).parent / "assets"
_INDEX = """<!doctype html>
<html lang="en">
<head>{%metas%}<meta name="color-scheme" content="light dark"><title>{%title%}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">{%css%}
<link rel="stylesheet" href="/assets/look.css"></head>
<body>{%app_entry%}<noscript>The dashboard needs JavaScript.</noscript>
<footer>{%config%}{%scripts%}{%renderer%}<script src="/assets/page.js"></script></footer></body>
</html>"""


def create_app(
    source: Source,
    *,
    env: str = "production",
    token: str | None = None,
    asks: bool = False,
    who: str = "",
) -> FastAPI:
    """Return the app.

    Args:
        source: what it shows.
        env: environment that is shown where the address names none.
        token: the operator's, good for all; None without one.
        asks: whether a token is asked for; once there are tokens it always is.
        who: name that acts where none was written.
    """
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    store = SessionStore()
    server.include_router(entry.routes(store))
    server.include_router(media.routes(source))
    server.add_exception_handler(Refusal, on_refusal)
    server.add_exception_handler(StorageError, on_storage_error)
    server.add_exception_handler(HTTPException, on_http_error)
    server.add_exception_handler(Exception, on_fault)
    app = Dash(
        "deepfake_lightning.dashboard",
        server=server,  # type: ignore[arg-type]  # of a backend's framework, as its text says
        backend="fastapi",
        assets_folder=str(_HERE),
        include_assets_files=False,  # Dash looks for them after the first page, if that is not "/"
        title="Deepfake Lightning",
        update_title="",
        index_string=_INDEX,
        serve_locally=True,
        suppress_callback_exceptions=True,  # what a callback refers to comes with its page
        enable_mcp=False,
        add_log_handler=False,
    )
    app.backend.websocket_capability = False  # callbacks come by POST, and through the guard
    app.layout = shell.layout(who, asks)
    callbacks.register(app, source, env)
    tokens = TokenStore(source.workspace.serving / TOKENS)
    # The last one added is the first to see a request.
    server.add_middleware(PagePolicy, scripts=app.csp_hashes())
    server.add_middleware(FromPage)
    server.add_middleware(Guard, token=token, tokens=tokens, asks=asks, doors=door_of)
    server.add_middleware(Sessions, store=store)
    server.add_middleware(SecurityHeaders)
    return server


class PagePolicy:
    """ASGI middleware: what a browser may do by the pages, which Dash makes.

    Nothing is loaded from elsewhere, and nothing sent there. Plotly writes style attributes; of
    scripts in the page itself that one alone runs which starts Dash.

    Args:
        app: what answers.
        scripts: hashes of the scripts in the page.
    """

    def __init__(self, app: ASGIApp, *, scripts: Sequence[str]) -> None:
        self._app = app
        self._policy = (
            f"default-src 'none'; script-src 'self' {' '.join(scripts)}; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self'; "
            "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        own = scope["type"] != "http" or scope["path"].startswith((LOGIN, MEDIA, f"{ASSETS}/"))

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start" and not own:
                headers = [*message.get("headers", ()), (b"content-security-policy", self._policy)]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with)
