"""A training in a process of its own: what it is told, how far it is, and how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from deepfake_lightning import errors
from deepfake_lightning.errors import DeepfakeLightningError, StorageError
from deepfake_lightning.retraining.work import Progress

WRONG, INTERRUPTED = 3, 130
LOG = "fit.log"
PATIENCE_SECONDS = 60.0
_ERROR, _PROGRESS = "fit-error.json", "fit-progress.json"
_LOOK_EVERY = 0.2  # seconds
_TAIL = 300


@dataclass(frozen=True)
class Job:
    """What the process that trains is told.

    Attributes:
        args: of ``fit``.
        warm_start: checkpoint to begin with; None: as the configuration says.
        progress, error: files in which it says how far it is, and why it gave up.
        guard: whose lock it holds while it is alive.
        parent: the process that started it.
    """

    args: list[str]
    warm_start: str | None
    progress: str
    error: str
    guard: str
    parent: int

    @classmethod
    def of(cls, args: list[str], warm_start: str | None, folder: Path) -> Job:
        """Return a job of this process, whose files lie in the folder of a loop."""
        return cls(args, warm_start, str(folder / _PROGRESS), str(folder / _ERROR),
                   guard_of(folder), os.getpid())  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Return the job that was written as JSON."""
        return cls(**json.loads(text))


def guard_of(folder: Path) -> str:
    """Return what the process that trains for a loop has locked."""
    return str(folder / "fit")


def run(job: Job, folder: Path, environ: Mapping[str, str], progress: Progress) -> None:
    """Start the process, wait for it, and end it where this one is interrupted.

    Args:
        job: what it is told.
        folder: of the loop; its log lies there.
        environ: variables that it has beside those of this process.
        progress: told what is done, how much of it, and how much there is.

    Raises:
        KeyboardInterrupt: somebody ended it; it has saved what there is.
        DeepfakeLightningError: what stopped it.
        StorageError: it died.
    """
    for path in (job.progress, job.error):
        Path(path).unlink(missing_ok=True)
    # -P: what lies in the current folder is no package; the session is its own so that Ctrl-C
    # comes here first, and once.
    command = [sys.executable, "-P", "-m", "deepfake_lightning.retraining.trainer_process"]
    with (folder / LOG).open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **environ}, start_new_session=True,
        )  # fmt: skip
    try:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it is dead already, which is seen below
            process.stdin.write(json.dumps(asdict(job)))
            process.stdin.close()
        while process.poll() is None:
            progress("training", *_progress(Path(job.progress)))
            time.sleep(_LOOK_EVERY)
    except BaseException:
        _end(process)
        raise
    _check(process.returncode, job, folder)


def _progress(path: Path) -> tuple[int, int]:
    try:
        said = json.loads(path.read_text("utf-8"))
        return int(said["done"]), int(said["total"])
    except (OSError, ValueError):  # nothing yet, or half of it
        return 0, 0


def _end(process: subprocess.Popen[str]) -> None:
    """End the training after the batch that it is at."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _check(code: int, job: Job, folder: Path) -> None:
    if code == 0:
        return
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code == WRONG and Path(job.error).is_file():
        said = json.loads(Path(job.error).read_text("utf-8"))
        kind: type[DeepfakeLightningError] = getattr(errors, said["kind"], errors.DataError)
        raise kind(said["what"], why=said["why"], next_step=said["next_step"])
    tail = " ".join((folder / LOG).read_text("utf-8", errors="replace")[-_TAIL:].split())
    raise StorageError(
        f"the training's process died with exit code {code}: {tail}",
        why="something killed it, as a rule the lack of memory",
        next_step=f"look at {folder / LOG}; `deepfake-lightning retrain --reason again` goes on "
        "from its last checkpoint",
    )
