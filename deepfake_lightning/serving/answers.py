"""A request on its way through the server, and the answers that are not a result."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from deepfake_lightning.errors import StorageError
from deepfake_lightning.schemas.assessment import Assessment
from deepfake_lightning.serving.access.callers import Caller

logger = logging.getLogger(__name__)

PREDICT = "/v1/predict"


@dataclass
class Exchange:
    """One request and what becomes of it: filled in on its way, and then logged.

    Attributes:
        request_id: answers and the log name it.
        size: bytes of the body that came; where it was refused unread, that were announced.
        error: code of the refusal, None without one.
        caller: who asks; None before that is known, and of strangers.
        version, digest: of the detector that it was routed to; None before.
        environment, experiment: that the detector serves in.
        already_cropped: as the caller said it; None where nothing was said.
        assessment: the result, None without one.
        projection: of its features; None without.
    """

    request_id: str
    size: int = 0
    error: str | None = None
    caller: Caller | None = None
    version: str | None = None
    digest: str | None = None
    environment: str | None = None
    experiment: str | None = None
    already_cropped: bool | None = None
    assessment: Assessment | None = None
    projection: bytes | None = None


class Refusal(Exception):
    """A request that gets no result.

    Args:
        status: of HTTP.
        code: what is wrong, for programs and the log; it never changes.
        message: what is wrong, for people.
        next_step: what to do about it.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        next_step: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.next_step = next_step
        self.headers = headers


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange that the request log began for a request."""
    exchange: Exchange = scope["state"]["exchange"]
    return exchange


def refuse(scope: Scope, refusal: Refusal) -> JSONResponse:
    """Return the answer for a refusal, and note its code for the log."""
    exchange = exchange_of(scope)
    exchange.error = refusal.code
    error = {"code": refusal.code, "message": refusal.message, "next": refusal.next_step}
    record = {"error": error, "request_id": exchange.request_id}
    headers = dict(refusal.headers or {})
    return JSONResponse(record, status_code=refusal.status, headers=headers)


def refuse_doubles(request: Request) -> None:
    """Refuse a parameter that is given twice: which one is meant?

    Raises:
        Refusal: one is.
    """
    if len(request.query_params.multi_items()) != len(request.query_params.keys()):
        raise Refusal(400, "parameter", "a parameter is given twice", "give it once")


def fault() -> Refusal:
    """Return the refusal for what the program does wrong; details go to the log alone."""
    return Refusal(500, "internal", "the server failed on this request", "see the server's log")


async def on_refusal(request: Request, error: Exception) -> Response:
    """Answer a refusal."""
    assert isinstance(error, Refusal)
    return refuse(request.scope, error)


async def on_storage_error(request: Request, error: Exception) -> Response:
    """Answer where a disk or database does not take or give what it should."""
    assert isinstance(error, StorageError)
    logger.error("%s (request %s)", error.what, exchange_of(request.scope).request_id)
    refusal = Refusal(
        503, "storage", "what the server keeps cannot be read or written now",
        "try again in a moment", {"Retry-After": "10"},
    )  # fmt: skip
    return refuse(request.scope, refusal)


async def on_fault(request: Request, error: Exception) -> Response:
    """Answer what no one expected."""
    return refuse(request.scope, fault())


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer a path or method that does not exist, or a body that cannot be read."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Refusal):  # met while FastAPI read a body
        return refuse(request.scope, error.__cause__)
    if isinstance(error.__cause__, ValueError | RecursionError):  # too, of JSON
        return refuse(request.scope, _no_json())
    code = {404: "not_found", 405: "method"}.get(error.status_code, "http")
    asked = f"{request.method[:20]} {request.scope['path'][:200]}"
    next_step = "see /docs for what there is"
    message = f"{asked}: {error.detail}"
    headers = error.headers
    if error.status_code == 405:
        headers = {**(headers or {}), "Allow": ", ".join(_methods(request))}
    return refuse(request.scope, Refusal(error.status_code, code, message, next_step, headers))


async def on_wrong_parameter(request: Request, error: Exception) -> Response:
    """Answer a query or body that cannot be read: what is wrong where, never what was sent."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return refuse(request.scope, _no_json())
    if any(tuple(fault["loc"]) == ("body",) for fault in faults):
        return refuse(request.scope, _no_object())
    named = sorted({f"{str(fault['loc'][-1])[:50]} ({fault['msg']})" for fault in faults})
    message = f"a wrong parameter or value: {', '.join(named[:5])}"
    return refuse(
        request.scope, Refusal(400, "parameter", message, "see /openapi.json for what there is")
    )


def _no_json() -> Refusal:
    message = "the body is no JSON that can be read: it is damaged, nested too deep or not UTF-8"
    return Refusal(400, "parameter", message, "send JSON in UTF-8; /openapi.json has an example")


def _no_object() -> Refusal:
    return Refusal(
        400, "parameter", "the body is no JSON object, or is not said to be JSON",
        "send a JSON object with the header `Content-Type: application/json`; "
        "/openapi.json has an example",
    )  # fmt: skip


def _methods(request: Request) -> list[str]:
    """Return all methods of a path; a route names its own alone, and each method has one."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE:
            found |= route.methods or set()
    return sorted(found)
