"""The login page, and what it sends."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from deepfake_lightning.dashboard.access.doors import LOGIN, LOGOUT
from deepfake_lightning.dashboard.access.sessions import COOKIE, HOURS, SessionStore, cookie_of
from deepfake_lightning.serving.access.request_headers import bearer, header

PAGE = (Path(__file__).parent.parent / "assets" / "login.html").read_text("utf-8")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def routes(store: SessionStore) -> APIRouter:
    """Return what answers at ``/login`` and ``/logout``."""
    router = APIRouter(include_in_schema=False)

    @router.get(LOGIN)
    async def page() -> Response:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": _POLICY})

    @router.post(LOGIN)
    async def log_in(request: Request) -> Response:
        # The guard has looked at the token already. Without one nothing is asked for here.
        token = bearer(request.scope)
        answer = Response(status_code=204)
        if token is not None:
            answer.set_cookie(
                COOKIE, store.begin(token), max_age=HOURS * 3600, httponly=True,
                samesite="strict", secure=_is_encrypted(request),
            )  # fmt: skip
        return answer

    @router.post(LOGOUT)
    async def log_out(request: Request) -> Response:
        store.end(cookie_of(request.scope))
        answer = RedirectResponse(LOGIN, status_code=303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return router


def _is_encrypted(request: Request) -> bool:
    """Whether the browser speaks HTTPS to whatever stands in front of this server."""
    return header(request.scope, b"x-forwarded-proto") == b"https" or request.url.scheme == "https"
