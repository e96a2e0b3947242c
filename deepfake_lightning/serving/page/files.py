"""Serves the page's files: those of a fixed list, read once, with what a browser may do by each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from deepfake_lightning.errors import UsageError

_HERE = Path(__file__).parent / "static"
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
# Swagger UI writes style attributes; scripts stay those of this server alone.
_DOCS_POLICY = {**_POLICY, "style-src": "'self' 'unsafe-inline'", "media-src": "'none'"}
_NOTHING = {"default-src": "'none'", "frame-ancestors": "'none'", "sandbox": ""}

PAGES: Mapping[str, str] = {"/": "index.html", "/docs": "docs.html"}


@dataclass(frozen=True)
class StaticFile:
    """A file and how it is answered.

    Attributes:
        body: its bytes.
        headers: of the answer.
    """

    body: bytes
    headers: Mapping[str, str]


def _swagger_folder() -> Path:
    """Return where Swagger UI's files lie. The package that carries them is not imported."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise UsageError(
            "the files of /docs are missing: fastapi-offline is not installed",
            next_step="pip install fastapi-offline",
        )
    return Path(spec.origin).parent / "static"


def _places() -> dict[str, Path]:
    """Return the path of each file by the URL's path."""
    own = {
        f"/static/{path.name}": path
        for path in sorted(_HERE.iterdir())
        if path.suffix in _MEDIA_TYPES and path.name not in PAGES.values()
    }
    foreign = {f"/static/{name}": _swagger_folder() / name for name in _SWAGGER}
    return {url: _HERE / name for url, name in PAGES.items()} | own | foreign


PATHS = frozenset(_places())
"""What is served here: no secrets, so no token is needed, and nothing to log."""


@cache
def static_file(url: str) -> StaticFile:
    """Return what is answered at a path of :data:`PATHS`."""
    path = _places()[url]
    body = path.read_bytes()
    policy = {"/": _POLICY, "/docs": _DOCS_POLICY}.get(url, _NOTHING)
    headers = {
        "Content-Type": _MEDIA_TYPES[path.suffix],
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": "no-cache",  # kept, and asked for again: an update shows at once
        "Content-Security-Policy": "; ".join(f"{k} {v}".strip() for k, v in policy.items()),
    }
    return StaticFile(body, headers)


def _is_known(asked: str, tag: str) -> bool:
    """Return whether ``If-None-Match`` names the file (RFC 9110, 13.1.2: weak comparison)."""
    tags = [each.strip().removeprefix("W/") for each in asked.split(",")]
    return tag in tags or tags == ["*"]


async def answer(request: Request) -> Response:
    """Answer with a file, or with 304 where the browser has it."""
    url = request.url.path.removeprefix(request.scope.get("root_path", ""))
    if url not in PATHS:
        raise HTTPException(404)
    file = static_file(url)
    if _is_known(request.headers.get("If-None-Match", ""), file.headers["ETag"]):
        return Response(status_code=304, headers=dict(file.headers))
    return Response(file.body, headers=dict(file.headers))


router = APIRouter(include_in_schema=False)
for _url in (*PAGES, "/static/{name}"):
    router.add_api_route(_url, answer, methods=["GET", "HEAD"], response_model=None)
