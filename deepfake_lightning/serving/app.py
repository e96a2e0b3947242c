"""The app: a picture in, an assessment out."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from anyio import fail_after
from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from deepfake_lightning import __version__
from deepfake_lightning.media.image_headers import picture_size
from deepfake_lightning.monitoring import PredictionLog
from deepfake_lightning.serving.admission import Admission
from deepfake_lightning.serving.answers import (
    HEALTH,
    PREDICT,
    Exchange,
    Refusal,
    fault,
    on_fault,
    on_http_error,
    on_refusal,
    on_wrong_parameter,
)
from deepfake_lightning.serving.assessor import Assessor
from deepfake_lightning.serving.limits import MAX_BYTES, BodyLimit, Guard
from deepfake_lightning.serving.request_log import RequestLog

logger = logging.getLogger(__name__)
router = APIRouter()

_KINDS = "JPEG, PNG, WebP, BMP or TIFF"
_BODY = {
    "required": True,
    "description": f"the bytes of one picture: {_KINDS}",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


class PredictQuery(BaseModel):
    """What can be asked of ``/v1/predict``; other names are refused.

    Attributes:
        already_cropped: whether the picture is a face crop; None leaves it to the detector.
    """

    model_config = ConfigDict(extra="forbid")

    already_cropped: bool | None = None


@dataclass(frozen=True)
class _Service:
    assessor: Assessor
    admission: Admission
    body_seconds: float


def create_app(
    assessor: Assessor,
    log: PredictionLog,
    *,
    token: str | None = None,
    workers: int | None = None,
    queue: int | None = None,
    max_bytes: int = MAX_BYTES,
    body_seconds: float = 30.0,
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> FastAPI:
    """Return the app.

    Args:
        assessor: what scores.
        log: where requests are noted.
        token: that callers must send; without one only this machine is answered.
        workers: pictures scored at a time (default: one for each core).
        queue: how many more may wait (default: four for each worker).
        max_bytes: limit of a picture.
        body_seconds: how long sending it may take.
        clock: the time in microseconds since 1970, UTC.
    """
    workers = workers or os.cpu_count() or 1
    admission = Admission(workers, 4 * workers if queue is None else queue)
    app = FastAPI(
        title="deepfake-lightning",
        version=__version__,
        docs_url=None,  # these pages load scripts from other machines
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = _Service(assessor, admission, body_seconds)
    app.include_router(router)
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_wrong_parameter)
    app.add_exception_handler(Exception, on_fault)
    # The last one added is the first to see a request.
    app.add_middleware(Guard, token=token)
    app.add_middleware(BodyLimit, max_bytes=max_bytes)
    app.add_middleware(RequestLog, log=log, detector=assessor, clock=clock)
    return app


@router.get(HEALTH)
async def healthz() -> dict[str, str]:
    """Say that the server is up; no token is needed."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str | bool]:
    """Say which detector answers."""
    assessor = request.app.state.service.assessor
    return {
        "status": "ready",
        "version": assessor.version,
        "digest": assessor.digest,
        "demo": assessor.is_demo,
    }


@router.post(PREDICT, openapi_extra={"requestBody": _BODY})
async def predict(request: Request, query: Annotated[PredictQuery, Query()]) -> Response:
    """Score one picture. One without a face has a result, too: it is not assessable."""
    if len(request.query_params.multi_items()) != len(request.query_params.keys()):
        raise Refusal(400, "parameter", "a parameter is given twice", "give it once")
    service: _Service = request.app.state.service
    exchange: Exchange = request.state.exchange
    with service.admission.place():
        data = await _body(request, service.body_seconds)
        try:
            return await service.admission.run(
                lambda: _score(service.assessor, data, query.already_cropped, exchange)
            )
        except Refusal:
            raise
        except Exception as error:  # one bad request must not end the server
            logger.exception("scoring failed (request %s)", exchange.request_id)
            raise fault() from error


async def _body(request: Request, seconds: float) -> bytes:
    try:
        with fail_after(seconds):
            data = await request.body()
    except TimeoutError:
        raise Refusal(
            408, "slow", f"the body was not sent within {seconds:g} seconds", "send it again"
        ) from None
    except ClientDisconnect:  # no one reads the answer; its status is for the log
        raise Refusal(499, "gone", "the client has gone", "send it again") from None
    if not data:
        raise Refusal(
            400, "empty", "the body is empty", "send a picture: curl --data-binary @face.jpg URL"
        )
    return data


def _score(
    assessor: Assessor, data: bytes, already_cropped: bool | None, exchange: Exchange
) -> Response:
    """Return the answer for a picture. It takes long: never call it on the event loop."""
    if picture_size(data) == (0, 0):
        raise Refusal(
            415, "not_a_picture", "the body is not a picture",
            f"send the bytes of a {_KINDS} alone: curl --data-binary @face.jpg URL",
        )  # fmt: skip
    assessment = assessor.assess(data, already_cropped=already_cropped)
    exchange.assessment = assessment
    if assessment.status == "unreadable":
        reason = assessment.reason or "the picture cannot be decoded"
        raise Refusal(422, "unreadable", reason, "send the picture again, or another one")
    record: dict[str, Any] = {"request_id": exchange.request_id, **assessment.to_dict()}
    return JSONResponse(record)
