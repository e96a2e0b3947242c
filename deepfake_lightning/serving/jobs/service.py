"""What the routes of jobs need of the server around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.serving.jobs.job import Job
from deepfake_lightning.serving.jobs.store import JobStore


@dataclass(frozen=True)
class Received:
    """A body that was written to a file.

    Attributes:
        path: of the file, on the file system of the jobs. It is the job's from now on.
        media_type: what its first bytes say it is; None: that is found out later.
    """

    path: Path
    media_type: MediaType | None = None


@dataclass(frozen=True)
class Routed:
    """The detector that a request goes to.

    Attributes:
        version: of the detector.
        digest: SHA-256 of its bundle.
        bundle: its folder, which every process can open.
        environment, experiment, variant: why this one; None outside of these.
    """

    version: str
    digest: str
    bundle: Path
    environment: str | None = None
    experiment: str | None = None
    variant: str | None = None


@dataclass(frozen=True)
class JobService:
    """What ``app.state.jobs`` has to be; who asks is read from the request's exchange.

    Attributes:
        store: the jobs.
        receive: writes the body of a request (raw, or a form's file) to a file. It raises a
            Refusal where that is none, too large, too slow or no media; nothing is left then.
        route: which detector a request goes to; called after the body has come.
        nudge: told of each new job: the runner's ``nudge``.
        on_cancelled: told of each job that is cancelled before its end, in any thread.
    """

    store: JobStore
    receive: Callable[[Request], Awaitable[Received]]
    route: Callable[[Request], Routed]
    nudge: Callable[[], None]
    on_cancelled: Callable[[Job], None] = lambda job: None
