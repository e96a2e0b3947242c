"""The routes of jobs: send a long video, ask how far it is, cancel it, have the result."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.responses import FileResponse, JSONResponse

from deepfake_lightning.errors import StorageError
from deepfake_lightning.serving.access.callers import LOCAL, Caller
from deepfake_lightning.serving.answers import Refusal, exchange_of, refuse_doubles
from deepfake_lightning.serving.descriptions import CALLERS, MEDIA_BODY, STORAGE, refusals
from deepfake_lightning.serving.jobs.answers import (
    EXAMPLES,
    PATH,
    JobAnswer,
    JobList,
    JobSummary,
    answer_of,
    summary_of,
)
from deepfake_lightning.serving.jobs.job import UNFINISHED, Job, Order
from deepfake_lightning.serving.jobs.service import JobService
from deepfake_lightning.serving.jobs.store import QueueFull

_ASK_AGAIN = "see `GET /v1/jobs` for yours"
_REFUSALS = {**refusals(401, 403, 404, 429), **STORAGE}
_LONGEST_PAUSE = 30.0
_FULL_DISK_SECONDS = 60


def _described(description: str, *states: str) -> dict[str, Any]:
    examples = {name: EXAMPLES[name] for name in states or EXAMPLES}
    content = {"application/json": {"examples": examples}}
    return {"model": JobAnswer, "description": description, "content": content}


class JobQuery(BaseModel):
    """What can be asked of a job; other names are refused.

    Attributes:
        already_cropped: whether the video shows one face that has been cut out.
        overlay: whether a picture with boxes and scores is to be made.
    """

    model_config = ConfigDict(extra="forbid")

    already_cropped: bool | None = None
    overlay: bool = False


router = APIRouter(tags=["jobs"])


@router.post(
    PATH,
    status_code=202,
    responses={
        202: _described("accepted: it is on disk", "queued"),
        **refusals(400, 401, 403, 408, 413, 415, 429, 503),
    },
    openapi_extra={"requestBody": MEDIA_BODY, "parameters": [CALLERS]},
)
async def submit(request: Request, query: Annotated[JobQuery, Query()]) -> Response:
    """Send a long video. Ask at `status_url` how far it is; the result is kept for a day."""
    refuse_doubles(request)
    service = _service(request)
    try:
        caller = _caller(request)
        name = None if caller == LOCAL else caller.name
        await to_thread.run_sync(service.store.check_room, name)
        received = await service.receive(request)
        try:
            routed = service.route(request)
            order = Order(
                id=exchange_of(request.scope).request_id,
                client=caller.name,
                version=routed.version,
                digest=routed.digest,
                bundle=str(routed.bundle),
                environment=routed.environment,
                experiment=routed.experiment,
                variant=routed.variant,
                media_type=received.media_type,
                already_cropped=query.already_cropped,
                overlay=query.overlay,
            )
            job = await to_thread.run_sync(service.store.submit, order, received.path)
        finally:
            received.path.unlink(missing_ok=True)  # there only where it was not taken
    except QueueFull as full:
        retry = {"Retry-After": str(full.retry_seconds)}
        raise Refusal(503, "jobs_full", full.what, full.next_step, retry) from full
    except StorageError as error:
        retry = {"Retry-After": str(_FULL_DISK_SECONDS)}
        message = "the job could not be kept"
        raise Refusal(503, "storage", message, "try again later", retry) from error
    service.nudge()
    answer = await to_thread.run_sync(_answer, service, job, 202)
    answer.headers["Location"] = f"{PATH}/{job.id}"
    return answer


@router.head(PATH, include_in_schema=False)
@router.get(PATH, response_model=JobList, responses={**refusals(401, 403, 429), **STORAGE})
def list_jobs(request: Request) -> Response:
    """List your 50 newest jobs, without their results. An admin sees everyone's."""
    service = _service(request)
    caller = _caller(request)
    found = service.store.newest(None if caller.may("admin") else caller.name)
    jobs = [_summary(service, job) for job in found]
    return JSONResponse(JobList(jobs=jobs).model_dump(mode="json"))


@router.head(PATH + "/{job_id}", include_in_schema=False)
@router.get(
    PATH + "/{job_id}",
    responses={
        200: _described("the job, with its result where it is done"),
        304: {"description": "it is as `If-None-Match` says"},
        **_REFUSALS,
    },
)
def read_job(request: Request, job_id: str) -> Response:
    """Say how far a job is, and what came of it. `Retry-After` says when to ask again."""
    service = _service(request)
    answer = _answer(service, _own(request, job_id), 200)
    known = request.headers.get("If-None-Match", "")
    if answer.headers["ETag"] in [each.strip().removeprefix("W/") for each in known.split(",")]:
        kept = {name: answer.headers[name] for name in ("ETag", "Retry-After")
                if name in answer.headers}  # fmt: skip
        return Response(status_code=304, headers=kept)
    return answer


@router.head(PATH + "/{job_id}/overlay", include_in_schema=False)
@router.get(
    PATH + "/{job_id}/overlay",
    response_class=FileResponse,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "a picture (JPEG)"},
        **_REFUSALS,
    },
)
def read_overlay(request: Request, job_id: str) -> Response:
    """Return the picture with boxes and scores that was asked for with `overlay=true`."""
    service = _service(request)
    job = _own(request, job_id)
    if not _has_overlay(service, job):
        raise Refusal(
            404,
            "no_overlay",
            "there is no picture of this job",
            "send it with overlay=true, and wait until it is done; where there is no face, "
            "there is none",
        )
    return FileResponse(service.store.files.overlay(job.id), media_type="image/jpeg")


@router.delete(
    PATH + "/{job_id}",
    responses={
        200: _described("it was waiting or running, and is cancelled"),
        204: {"description": "it had come to its end, and is removed with all that was kept"},
        **_REFUSALS,
    },
)
def delete_job(request: Request, job_id: str) -> Response:
    """Cancel a job that waits or runs; remove one that has come to its end."""
    service = _service(request)
    job = _own(request, job_id)
    if job.state in UNFINISHED and service.store.cancel(job.id):
        cancelled = _own(request, job_id)
        service.on_cancelled(cancelled)
        return _answer(service, cancelled, 200)
    service.store.erase(job.id)
    return Response(status_code=204)


def _service(request: Request) -> JobService:
    service: JobService = request.app.state.jobs
    return service


def _caller(request: Request) -> Caller:
    caller = exchange_of(request.scope).caller
    assert caller is not None  # others were turned away at the door
    return caller


def _own(request: Request, job_id: str) -> Job:
    """Return a job that the caller may see; of others nothing is said, not even that they are."""
    service = _service(request)
    caller = _caller(request)
    job = service.store.find(job_id)
    if job is None or (job.client != caller.name and not caller.may("admin")):
        raise Refusal(404, "not_found", "there is no such job", _ASK_AGAIN)
    return job


def _has_overlay(service: JobService, job: Job) -> bool:
    return job.overlay and job.state == "done" and service.store.files.overlay(job.id).exists()


def _summary(service: JobService, job: Job) -> JobSummary:
    ahead = service.store.ahead(job.id) if job.state == "queued" else 0
    return summary_of(job, ahead, _has_overlay(service, job))


def _answer(service: JobService, job: Job, status: int) -> Response:
    record = answer_of(_summary(service, job), job.result).model_dump(mode="json")
    headers = {"ETag": f'"{_digest(record)}"'}
    if job.state in UNFINISHED:
        headers["Retry-After"] = str(_pause(job))
    return JSONResponse(record, status_code=status, headers=headers)


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:32]


def _pause(job: Job) -> int:
    """Return in how many seconds there will be something new to say of a job."""
    expected = 5.0 if job.seconds_left is None else job.seconds_left / 10
    return round(min(max(expected, 1.0), _LONGEST_PAUSE))
