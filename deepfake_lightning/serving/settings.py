"""How a server is set up: what is the same for all of its processes, and can be sent to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from deepfake_lightning.media import Limits
from deepfake_lightning.processes.cores import available_cores
from deepfake_lightning.serving.access.callers import Rate
from deepfake_lightning.serving.access.limits import MAX_JOB_BYTES
from deepfake_lightning.storage import Workspace

MIB = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """What one request may cost, and how many may wait.

    Attributes:
        bytes: of a body of ``/v1/predict``.
        job_bytes: of one of ``/v1/jobs``.
        pixels: of a picture, or of a clip's frame.
        seconds: length of a clip that is answered at once; a longer one is a job.
        frames: of a clip that are looked at.
        queue: requests that wait beside those that are decoded; None: 16 for each process.
        jobs: that wait.
        body_seconds: that sending a body may take.
        deadline: seconds from the end of the body to the answer.
    """

    bytes: int = 64 * MIB
    job_bytes: int = MAX_JOB_BYTES
    pixels: int = 40_000_000
    seconds: float = 60.0
    frames: int = 300
    queue: int | None = None
    jobs: int = 100
    body_seconds: float = 30.0
    deadline: float = 30.0

    @property
    def clip(self) -> Limits:
        """The limits of a clip that is answered at once."""
        return Limits(self.bytes, self.pixels, self.seconds, self.frames)


@dataclass(frozen=True)
class Settings:
    """A server.

    Attributes:
        workspace: root of the workspace.
        version: of the registry; one of version, bundle and environment is given.
        bundle: a bundle's folder.
        environment: whose file is followed.
        processes: that answer requests.
        workers: processes of each of them that decode; None: its share of the cores, two at least.
        device: of the network.
        batch: faces in one run of the network; None: 4 on a CPU, 32 elsewhere.
        token: the operator's; None without one.
        asks: whether callers need a token.
        rate: of callers whose token has none; None lets them ask as often as they like.
        log: place of the prediction log, a path or a URL; None: that of the workspace.
        log_days: that it keeps requests; None: for ever.
        logs: folder of the server's own log; ``-`` is stderr.
        keep_media: whether uploads of requests that are drawn for review are kept for reviewers.
        apart: whether others of the processes may run on other machines: uploads under way are in
            a temporary folder then, and not in the workspace.
        bounds: of requests.
    """

    workspace: Path
    version: str | None = None
    bundle: Path | None = None
    environment: str | None = None
    processes: int = 1
    workers: int | None = None
    device: str = "cpu"
    batch: int | None = None
    token: str | None = field(default=None, repr=False)
    asks: bool = False
    rate: Rate | None = None
    log: str | None = field(default=None, repr=False)  # a URL may hold a password
    log_days: int | None = None
    logs: str = "-"
    keep_media: bool = False
    apart: bool = False
    bounds: Bounds = Bounds()

    @property
    def decoders(self) -> int:
        """How many processes decode, for each that answers."""
        return self.workers or max(2, self.cores)

    @property
    def cores(self) -> int:
        """How many cores each process has for itself, about."""
        return max(1, available_cores() // self.processes)

    @property
    def batch_size(self) -> int:
        """How many faces a run of the network has, at most.

        On a CPU no more than 4 run together, however many there are.
        """
        return self.batch or (4 if self.device == "cpu" else 32)

    @property
    def ahead(self) -> int:
        """How many pictures may be decoded and not yet scored: each core has its next batch."""
        return self.decoders + self.cores * (self.batch_size + 1)

    @property
    def log_place(self) -> str | Path:
        """Where the prediction log is."""
        return Workspace(self.workspace).prediction_log(self.log)

    @property
    def places(self) -> int:
        """How many requests are let in at a time."""
        return self.decoders + (
            16 * self.decoders if self.bounds.queue is None else self.bounds.queue
        )
