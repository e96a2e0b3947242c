"""Jobs as JSON, for answers and for their description."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from deepfake_lightning.schemas.assessment import MEANING
from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.serving.jobs.job import Job, JobError, State

PATH = "/v1/jobs"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JobProgress(BaseModel):
    """How far a job is.

    Attributes:
        frames: looked at so far.
        frames_to_do: that will be, together; 0 while that is not known.
        share: 0 to 1.
        seconds_left: estimated from the speed so far; null while that is not known.
    """

    frames: int
    frames_to_do: int
    share: float = Field(ge=0, le=1)
    seconds_left: float | None


class JobFault(BaseModel):
    """Why a job has no result.

    Attributes:
        code: ``unreadable``, ``timeout``, ``crashed``, ``version``, ``lost`` or ``internal``.
        message: what is wrong.
        next: what to do about it.
    """

    code: str
    message: str
    next: str


class JobSummary(BaseModel):
    """A job without its result.

    Attributes:
        id: of the job, and of the request that brought it.
        state: ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
        status_url: where to ask for it.
        overlay_url: picture with boxes and scores, of a picture 2,000 pixels on its long side at
            most; null where there is none (yet).
        version: of the detector it was routed to.
        environment: that the detector serves in; null outside of one.
        media_type: ``video`` or ``image``; null while that is not known.
        already_cropped: as it was asked for.
        overlay: whether a picture was asked for.
        bytes: size of the upload, which is removed when the job ends.
        created: when it was accepted, UTC.
        started: when the latest attempt began.
        finished: when it came to its end; it is kept for a day from then.
        ahead: jobs that will be begun before it.
        attempts: how often it was begun.
        progress: how far it is.
        error: why it has no result; null unless it has failed.
    """

    id: str
    state: State
    status_url: str
    overlay_url: str | None
    version: str
    environment: str | None
    media_type: MediaType | None
    already_cropped: bool | None
    overlay: bool
    bytes: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    ahead: int
    attempts: int
    progress: JobProgress
    error: JobFault | None


class JobAnswer(JobSummary):
    """A job.

    Attributes:
        result: as ``/v1/predict`` answers; null unless it is done.
    """

    result: dict[str, Any] | None


class JobList(BaseModel):
    """The newest jobs, the newest first.

    Attributes:
        jobs: without their results.
    """

    jobs: list[JobSummary]


def summary_of(job: Job, ahead: int = 0, has_overlay: bool = False) -> JobSummary:
    """Return a job for a list.

    Args:
        job: the job.
        ahead: how many will be begun before it.
        has_overlay: whether its picture is there.
    """
    url = f"{PATH}/{job.id}"
    left = job.seconds_left
    progress = JobProgress(
        frames=job.frames,
        frames_to_do=job.frames_to_do,
        share=round(job.share, 4),
        seconds_left=None if left is None else round(left, 1),
    )
    return JobSummary(
        id=job.id,
        state=job.state,
        status_url=url,
        overlay_url=f"{url}/overlay" if has_overlay else None,
        version=job.version,
        environment=job.environment,
        media_type=job.media_type,
        already_cropped=job.already_cropped,
        overlay=job.overlay,
        bytes=job.bytes,
        created=_EPOCH + timedelta(microseconds=job.created_us),
        started=_time(job.started_us),
        finished=_time(job.finished_us),
        ahead=ahead,
        attempts=job.attempts,
        progress=progress,
        error=None if job.error is None else JobFault(**asdict(job.error)),
    )


def answer_of(summary: JobSummary, result: dict[str, Any] | None) -> JobAnswer:
    """Return a job for an answer of its own."""
    return JobAnswer(**summary.model_dump(), result=result)


def _time(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return _EPOCH + timedelta(microseconds=microseconds)


_QUEUED = Job(
    id="6d4e5a1f0c3b4a8f9d2e7b6c5a493827", client="newsroom", version="v1.2.0", digest="",
    bundle="", environment="production", media_type="video", state="queued", bytes=734_003_200,
    created_us=1_772_366_400_000_000,
)  # fmt: skip
_RUNNING = replace(
    _QUEUED, state="running", started_us=_QUEUED.created_us + 30_000_000, attempts=1, frames=240,
    frames_to_do=960, progress_us=_QUEUED.created_us + 58_000_000,
)  # fmt: skip
_DONE = replace(
    _RUNNING, state="done", frames=960, finished_us=_QUEUED.created_us + 142_000_000
)  # fmt: skip
_FAILED = replace(
    _DONE, state="failed", frames=0, frames_to_do=0,
    error=JobError("unreadable", "the upload holds no video", "send it again, or another one"),
)  # fmt: skip
_RESULT = {
    "request_id": _QUEUED.id, "status": "ok", "version": "v1.2.0", "score": 0.93,
    "verdict": "manipulation_indicated", "meaning": MEANING["manipulation_indicated"],
}  # fmt: skip


def _example(job: Job, result: dict[str, Any] | None = None, ahead: int = 0) -> dict[str, Any]:
    """Return a job as an example of an answer."""
    return answer_of(summary_of(job, ahead), result).model_dump(mode="json")


EXAMPLES = {
    "queued": {"value": _example(_QUEUED, ahead=2)},
    "running": {"value": _example(_RUNNING)},
    "done": {"value": _example(_DONE, _RESULT)},
    "failed": {"value": _example(_FAILED)},
}
"""A job in each of its states, for the description of answers."""
