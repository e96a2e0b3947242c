"""What is known of a job: what was asked for, how far it is, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from deepfake_lightning.schemas.calibration import MediaType

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
UNFINISHED: tuple[State, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job has no result.

    Attributes:
        code: for programs; it never changes. ``unreadable``: the upload is no video, damaged
            beyond use or over a limit. ``timeout``: it takes longer than a job may. ``crashed``:
            its process died each time it was tried. ``version``: the detector that it was sent to
            cannot be used any more. ``lost``: the upload is gone from the disk. ``internal``: a
            fault of the program.
        message: what is wrong, for people.
        next: what to do about it.
    """

    code: str
    message: str
    next: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for.

    Attributes:
        id: of the job, and of the request that brought it: letters, digits, ``-`` and ``_``.
        client: who asks: the name of a token.
        version: of the detector that it was routed to.
        digest: SHA-256 of that detector's bundle.
        bundle: its folder.
        environment, experiment, variant: why that one; None outside of these.
        media_type: None: told by the first bytes.
        already_cropped: it shows one face that has been cut out, and is scored as it is.
        overlay: whether a picture with boxes and scores is made, too.
    """

    id: str
    client: str
    version: str
    digest: str
    bundle: str
    environment: str | None = None
    experiment: str | None = None
    variant: str | None = None
    media_type: MediaType | None = None
    already_cropped: bool | None = None
    overlay: bool = False


@dataclass(frozen=True, kw_only=True)
class Job(Order):
    """A job as it is kept. Times are microseconds since 1970, UTC.

    Attributes:
        state: ``queued``, ``running``; at its end ``done``, ``failed`` or ``cancelled``.
        bytes: size of the upload.
        created_us: when it was accepted.
        started_us: when the latest attempt began; None before.
        finished_us: when it came to its end; None before.
        attempts: how often it was begun; one that a stop of the server cut short is not counted.
        frames: that have been looked at.
        frames_to_do: that will be, together; 0 while that is not known.
        progress_us: when these two were noted.
        result: of one that is done, as ``/v1/predict`` answers (:func:`serving.results.result_of`);
            None where it was not asked for.
        error: of one that has failed.
    """

    state: State
    bytes: int
    created_us: int
    started_us: int | None = None
    finished_us: int | None = None
    attempts: int = 0
    frames: int = 0
    frames_to_do: int = 0
    progress_us: int | None = None
    result: dict[str, Any] | None = None
    error: JobError | None = None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        return min(1.0, self.frames / self.frames_to_do) if self.frames_to_do else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it will take yet, 0 or more, at its speed so far; None while not known."""
        if self.state != "running" or not self.frames or not self.frames_to_do:
            return None
        if self.started_us is None or self.progress_us is None:
            return None
        taken = (self.progress_us - self.started_us) / 1e6
        left = taken * (self.frames_to_do - self.frames) / self.frames
        return max(0.0, left)  # clocks may be set back
