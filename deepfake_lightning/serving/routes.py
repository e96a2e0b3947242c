"""What can be asked for, but for jobs and pages."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import JSONResponse, Response

from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.serving.answers import (
    PREDICT,
    Exchange,
    Refusal,
    exchange_of,
    fault,
    refuse_doubles,
)
from deepfake_lightning.serving.decoding import DecoderCrashed, Media
from deepfake_lightning.serving.descriptions import (
    CALLERS,
    FEEDBACK_DONE,
    MEDIA_BODY,
    PREDICT_ANSWERS,
    refusals,
)
from deepfake_lightning.serving.desk import at_desk, found, is_made_up, stored
from deepfake_lightning.serving.fleet.lineup import Lineup, Served
from deepfake_lightning.serving.kept_media import keep_for_review
from deepfake_lightning.serving.results import result_of
from deepfake_lightning.serving.scoring import Scored, score
from deepfake_lightning.serving.service import Service
from deepfake_lightning.serving.shadowing import shadow
from deepfake_lightning.serving.uploads import Upload

logger = logging.getLogger(__name__)
router = APIRouter()

CLIENT_KEY = "X-Client-Key"
_REQUEST_ID = r"^[0-9a-f]{32}$"
_WITHOUT_NUL = r"^[^\x00]*$"  # PostgreSQL keeps no such text
_SMALLER = {"image": "send a smaller one", "video": "send it as a job: POST /v1/jobs"}


class PredictQuery(BaseModel):
    """What can be asked of ``/v1/predict``; other names are refused.

    Attributes:
        already_cropped: whether the picture is a face crop; None leaves it to the detector.
        overlay: whether a picture with boxes and scores is wanted.
    """

    model_config = ConfigDict(extra="forbid")

    already_cropped: bool | None = None
    overlay: bool = False


@router.post(
    PREDICT,
    tags=["predict"],
    responses=PREDICT_ANSWERS,
    openapi_extra={"requestBody": MEDIA_BODY, "parameters": [CALLERS]},
)
async def predict(request: Request, query: Annotated[PredictQuery, Query()]) -> Response:
    """Score a picture or a short clip. One without a face has a result, too: not assessable.

    With `overlay=true` the answer has a picture with boxes and scores: of a picture itself, with
    2,000 pixels on its long side at most, and of a clip its frames with the highest scores.
    """
    refuse_doubles(request)
    service, exchange = service_of(request), exchange_of(request.scope)
    exchange.already_cropped = query.already_cropped
    lineup = service.fleet.current()
    served = route_to(request, lineup)
    upload = await service.spool.receive(request)
    try:
        scored, answer = await _answer(service, served, upload, query, exchange, lineup)
    except BaseException:
        upload.close()
        raise
    keep_for_review(service, exchange, upload, scored.found)
    if not lineup.shadow:
        upload.close()
        return answer
    media = _media(upload, query)
    answer.background = shadow(service, lineup, exchange.request_id, upload, media, served, scored)
    return answer


async def _answer(
    service: Service,
    served: Served,
    upload: Upload,
    query: PredictQuery,
    exchange: Exchange,
    lineup: Lineup,
) -> tuple[Scored, Response]:
    media, began = _media(upload, query), time.perf_counter()
    seconds = service.settings.bounds.deadline
    try:
        scored = await score(media, served, service.pool, seconds)
        found = scored.found
        exchange.assessment, exchange.projection = found, scored.projection
        if found.status == "unreadable":
            reason = found.reason or "the upload cannot be decoded"
            if scored.sighting.over_limit:
                raise Refusal(413, "over_limit", reason, _SMALLER[media.kind])
            raise Refusal(422, "unreadable", reason, "send it again, or another one")
        calibration = served.engine.calibration
        record = result_of(exchange.request_id, found, calibration, lineup.environment)
        if query.overlay:
            left = seconds - (time.perf_counter() - began)
            overlay, lacks = await _overlay(service, served, media, scored, max(1.0, left))
            record["overlay"] = overlay
            if lacks is not None:
                record["notes"] = [*record["notes"], lacks]
        return scored, JSONResponse(record)
    except Refusal:
        raise
    except Exception as error:  # one bad request must not end the server
        logger.exception("scoring failed (request %s)", exchange.request_id)
        raise fault() from error


async def _overlay(
    service: Service, served: Served, media: Media, scored: Scored, seconds: float
) -> tuple[dict[str, str] | None, str | None]:
    """Return a picture with boxes and scores, and why there is none though there is a face."""
    if scored.found.status != "ok":
        return None, None
    fitted = served.engine.calibration.of(media.kind)
    try:
        async with asyncio.timeout(seconds):
            data = await service.pool.draw(media, scored.found, fitted, seconds)
    except TimeoutError:
        return None, "there is no overlay: drawing it took too long"
    except DecoderCrashed:
        return None, "there is no overlay: the process that drew it died"
    if not data:
        return None, "there is no overlay: none of its frames can be read by itself"
    return {"media_type": "image/jpeg", "base64": base64.b64encode(data).decode()}, None


class Feedback(BaseModel):
    """What somebody knows of a request.

    Attributes:
        request_id: of the answer.
        label: what the media really are.
        by: who says so.
        note: how that is known.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "request_id": "6d4e5a1f0c3b4a8f9d2e7b6c5a493827",
                    "label": "fake",
                    "by": "desk 2",
                    "note": "the source clip was found",
                }
            ]
        },
    )

    request_id: Annotated[str, Field(pattern=_REQUEST_ID)]
    label: Literal["real", "fake"]
    by: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=100, pattern=_WITHOUT_NUL
        ),
    ]
    note: Annotated[str, Field(max_length=1000, pattern=_WITHOUT_NUL)] | None = None


@router.post("/v1/feedback", status_code=201, tags=["feedback"], responses=FEEDBACK_DONE)
async def feedback(request: Request, said: Feedback) -> dict[str, str]:
    """Say what a request really showed. All that is said is kept; the latest counts."""
    refuse_doubles(request)
    service, caller = service_of(request), exchange_of(request.scope).caller
    label = Label(
        request_id=said.request_id,
        ts_us=service.clock(),
        label=1 if said.label == "fake" else 0,
        by=said.by,
        client=caller.name if caller else None,
        note=said.note,
    )
    async with at_desk(service, caller):
        if not await found(service, said.request_id, lambda: service.log.label(label)):
            raise _unknown()
    return {"request_id": said.request_id, "label": said.label, "by": said.by}


@router.delete(
    "/v1/requests/{request_id}",
    tags=["privacy"],
    responses=refusals(400, 401, 403, 404, 429, 503),
)
async def erase(request: Request, request_id: str) -> dict[str, Any]:
    """Erase all that is kept of a request: its row, scores, labels, media, and its job."""
    refuse_doubles(request)
    service, jobs = service_of(request), request.app.state.jobs
    log = service.log
    if not re.fullmatch(_REQUEST_ID, request_id):  # what no log need be asked for
        raise _unknown()

    async with at_desk(service, exchange_of(request.scope).caller):
        # The job first: one that ends after this is not logged, as its id is erased by then.
        had_job = await stored(service, lambda: jobs.store.erase(request_id))
        known = had_job or await found(
            service, request_id, lambda: log.find(request_id) is not None
        )
        if not known and is_made_up(service, request_id):
            raise _unknown()
        # In any case: what comes later than this is not written.
        had_row = await stored(service, lambda: log.erase(request_id))
        had_media = await stored(service, lambda: service.keeper.erase(request_id))
        if not (had_job or had_row or had_media):
            raise _unknown()
    return {"request_id": request_id, "erased": True}


def service_of(request: Request) -> Service:
    """Return what this process has open."""
    service: Service = request.app.state.service
    return service


def route_to(request: Request, lineup: Lineup) -> Served:
    """Return the version for a request, and note it.

    Raises:
        Refusal: nothing is deployed.
    """
    exchange = exchange_of(request.scope)
    key = request.headers.get(CLIENT_KEY) or exchange.request_id
    served = lineup.choose(key)
    exchange.environment = lineup.environment
    if served is None:
        raise Refusal(
            503, "nothing_deployed", f"nothing is deployed in {lineup.environment}",
            "deploy a version; this server follows the environment's file", {"Retry-After": "30"},
        )  # fmt: skip
    exchange.version, exchange.digest = served.engine.version, served.engine.digest
    exchange.experiment = lineup.experiment or None
    return served


def _media(upload: Upload, query: PredictQuery) -> Media:
    return Media(upload.content, upload.kind, query.already_cropped)


def _unknown() -> Refusal:
    return Refusal(
        404, "not_found", "there is no such request", "the answer to a request names its id"
    )
