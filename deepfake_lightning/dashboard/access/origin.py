"""What changes something comes from the dashboard's own page, and is short: ASGI middleware."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from deepfake_lightning.serving.access.limits import MAX_FORM_BYTES
from deepfake_lightning.serving.access.request_headers import header
from deepfake_lightning.serving.answers import Refusal, refuse

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class FromPage:
    """Refuses what another page in the same browser sends here, and what no page sends.

    The guard lets any page of this machine through where no token is asked for; another program's
    page is not this one. A browser tells the page's origin with all that it sends but reads; other
    programs tell none, and have no cookie that could be misused. What the page sends is JSON of
    65,536 bytes at most, and says how long it is.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        refusal = None
        if scope["type"] == "http" and scope["method"] not in _READS:
            refusal = _refusal(scope)
        answer = refuse(scope, refusal) if refusal else self._app
        await answer(scope, receive, send)


def _refusal(scope: Scope) -> Refusal | None:
    advice = "use the dashboard's own page"
    if _is_foreign(scope):
        return Refusal(403, "origin", "this was sent by another page", advice)
    length = header(scope, b"content-length") or b"0"
    if header(scope, b"transfer-encoding") or not length.isdigit():
        return Refusal(411, "length", "this does not say how long it is", advice)
    if int(length[:20]) > MAX_FORM_BYTES:
        return Refusal(413, "too_large", f"this is over {MAX_FORM_BYTES:,} bytes", advice)
    if int(length) and not header(scope, b"content-type").startswith(b"application/json"):
        return Refusal(415, "type", "this is no JSON", advice)
    return None


def _is_foreign(scope: Scope) -> bool:
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    site = header(scope, b"sec-fetch-site")
    if site:  # the browser has compared them, and knows a proxy's name
        return site not in (b"same-origin", b"none")
    return any(one.rpartition(b"://")[2] != header(scope, b"host") for one in origins)
