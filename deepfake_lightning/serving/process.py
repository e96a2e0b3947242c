"""One of several server processes: its app, its number, its log."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.processes import end_with_parent
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.json_logs import set_up_logs
from deepfake_lightning.serving.telemetry.metrics_files import VARIABLE, mark_process_dead

logger = logging.getLogger(__name__)

_PAUSE = 2.0  # seconds before a process is tried again
_PID = re.compile(r"gauge_live\w*_(\d+)\.db")
_locks: list[FileLock] = []  # held until the process ends


@dataclass(frozen=True)
class AppMaker:
    """Makes the app in a process of its own; it can be sent there.

    Args:
        settings: of the server.
    """

    settings: Settings

    def __call__(self) -> ASGIApp:
        """Return the app."""
        end_with_parent()  # first: what follows takes seconds
        from deepfake_lightning.serving.app import create_app

        log_to(self.settings)
        if (folder := os.environ.get(VARIABLE)) is not None:
            _forget_dead(Path(folder))
        return _TriedAgain(create_app(self.settings))


class _TriedAgain:
    """Ends the process a moment after its start has failed, and so that it is replaced.

    uvicorn ends all processes where one cannot start. The first start was seen to work; what
    fails later is a disk or database that is away for now, and the others serve meanwhile.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unless_failed(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                logger.error("the process could not start: %s", message.get("message", ""))
                await asyncio.sleep(_PAUSE)
                os._exit(1)
            await send(message)

        await self._app(scope, receive, send_unless_failed)


def log_to(settings: Settings) -> None:
    """Send what this process logs where the settings say.

    Raises:
        StorageError: the file cannot be opened.
    """
    number = 0 if settings.logs == "-" else _free_number(Path(settings.logs))
    set_up_logs(settings.logs, number, secrets=[settings.token] if settings.token else [])


def _free_number(folder: Path) -> int:
    """Return a number under which no other living process logs to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        guard = FileLock(folder / f".server-{number}.lock", timeout=0)
        try:
            guard.acquire()
        except Timeout:
            continue
        _locks.append(guard)
        return number
    return os.getpid()


def _forget_dead(folder: Path) -> None:
    """Take dead processes' present state out of the metrics."""
    for file in folder.iterdir():
        found = _PID.fullmatch(file.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            mark_process_dead(folder, int(found[1]))
