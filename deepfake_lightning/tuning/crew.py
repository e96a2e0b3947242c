"""The worker processes of a sweep: started, watched, replaced and ended by their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from deepfake_lightning import errors
from deepfake_lightning.errors import DeepfakeLightningError, StorageError
from deepfake_lightning.processes import available_cores
from deepfake_lightning.tuning.job import DONE, INTERRUPTED, WRONG, Job

_REPLACEMENTS = 3
_PATIENCE_SECONDS = 60.0
_LOG_TAIL = 300


@dataclass
class Crew:
    """Worker processes, each in a place of its own.

    Args:
        sweep: the sweep's fields.
        settings: what workers need to know of the base.
        workspace: its root.
        workers: how many places there are.
        environment: variables that workers have beside those of this process.
        until: when no further trial is begun, on the monotonic clock; None: never.
    """

    sweep: dict[str, Any]
    settings: dict[str, Any]
    workspace: Path
    workers: int
    environment: Mapping[str, str]
    until: float | None = None
    replaced: int = 0
    _running: dict[int, tuple[Job, subprocess.Popen[str]]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many processes are running."""
        return len(self._running)

    @property
    def is_out_of_time(self) -> bool:
        """Whether no further trial may begin."""
        return self.until is not None and time.monotonic() >= self.until

    def fill(self, wanted: int) -> None:
        """Start processes until there are as many as are wanted, or as there are places."""
        free = [place for place in range(self.workers) if place not in self._running]
        for place in free[: max(0, min(wanted, self.workers) - self.size)]:
            self._start(place)

    def _start(self, place: int) -> None:
        seconds = None if self.until is None else max(self.until - time.monotonic(), 0.0)
        name = f"{place}-{uuid4().hex[:8]}"
        job = Job(name, place, self.sweep, self.settings, str(self.workspace),
                  seconds)  # fmt: skip
        job.folder.mkdir(parents=True, exist_ok=True)
        # -P: what lies in the current folder is no package; the session is its own so that
        # Ctrl-C comes here first, and once.
        command = [sys.executable, "-P", "-m", "deepfake_lightning.tuning.worker"]
        with self._log(place).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True,
                env={**self._threads(), **os.environ, **self.environment}, start_new_session=True,
            )  # fmt: skip
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it is dead already, and will be missed
            process.stdin.write(job.to_json())
            process.stdin.close()
        self._running[place] = (job, process)

    def _threads(self) -> dict[str, str]:
        """Share the cores, where the user has not said how."""
        each = max(1, available_cores() // self.workers)
        return {"OMP_NUM_THREADS": str(each)} if self.workers > 1 else {}

    def _log(self, place: int) -> Path:
        folder = self.workspace / "tuning" / str(self.sweep["study"])
        return folder / f"worker_{place}.log"

    def look(self) -> bool:
        """See who has ended; return whether anyone died.

        Raises:
            DeepfakeLightningError: what a worker gave up for, which is wrong with every trial.
            StorageError: they die again and again.
        """
        died = False
        for place, (job, process) in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[place]
            if code == WRONG and job.error_file.is_file():
                raise _told(job.error_file)
            if code in (DONE, INTERRUPTED):
                (job.folder / "workers" / f"{job.name}.lock").unlink(missing_ok=True)
            if code != DONE:
                died = True
                self._count(place, code)
        return died

    def _count(self, place: int, code: int) -> None:
        self.replaced += 1
        if self.replaced > _REPLACEMENTS:
            tail = self._log(place).read_text("utf-8", errors="replace")[-_LOG_TAIL:]
            raise StorageError(
                f"{self.replaced} workers have died, the last with exit code {code}: "
                f"{' '.join(tail.split())}",
                why="something kills them, as a rule the lack of memory",
                next_step=f"look at {self._log(place)}; fewer workers or smaller batches need less."
                " The same command goes on",
            )

    def end(self) -> None:
        """End all processes: each gives back its trial after the batch it is at."""
        for _, process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + _PATIENCE_SECONDS
        try:
            for _, process in self._running.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(until - time.monotonic(), 0.1))
        finally:
            for job, process in self._running.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()
                job.error_file.unlink(missing_ok=True)
            self._running.clear()


def _told(path: Path) -> DeepfakeLightningError:
    """Return the error that a worker has written down."""
    said = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    kind: type[DeepfakeLightningError] = getattr(errors, said["kind"], errors.DataError)
    return kind(said["what"], why=said["why"], next_step=said["next_step"])
