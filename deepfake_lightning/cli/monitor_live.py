"""``monitor`` on a terminal: read again every two seconds, judged once a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live

from deepfake_lightning.cli.monitor_reading import Shown, is_there, read_shown, sum_up
from deepfake_lightning.cli.monitor_screen import empty, screen
from deepfake_lightning.errors import DataError, StorageError
from deepfake_lightning.monitoring.alerts import Rounds
from deepfake_lightning.monitoring.alerts.records import moment
from deepfake_lightning.monitoring.alerts.sending import LOGGER
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.windows import Scope
from deepfake_lightning.storage import Workspace

EVERY_S = 2.0
_FAULT_S = 120.0  # two rounds
_SUM_UP_S = 10.0  # a server does it every five; without one this does


def watch(
    console: Console, workspace: Workspace, place: str | Path, period: str, scope: Scope
) -> None:
    """Show an environment until it is interrupted; once, where that is no terminal.

    Raises:
        UsageError: an address that cannot work.
        StorageError: not on a terminal: the log could not be read.
    """
    with ExitStack() as stack:
        view = _View(workspace, place, period, scope)
        stack.callback(view.close)
        if not console.is_terminal:
            console.print(view.once(console.width))
            return
        rounds = Rounds(workspace, place, scope.environment or "production")
        # The round that is under way ends by itself: nobody waits for it.
        stack.callback(rounds.close, 0.2)
        heard = stack.enter_context(Heard())
        live = stack.enter_context(Live(console=console, screen=True, auto_refresh=False))
        while True:
            shown = view.now(rounds.fault or heard.fault, *console.size, told=heard.told)
            live.update(shown, refresh=True)
            time.sleep(EVERY_S)


class _View:
    """Keeps the log open, and what was read of it last."""

    def __init__(self, workspace: Workspace, place: str | Path, period: str, scope: Scope) -> None:
        self._workspace, self._place, self._period, self._scope = workspace, place, period, scope
        self._log: PredictionLog | None = None
        self._shown: Shown | None = None
        self._summed = -_SUM_UP_S

    def once(self, width: int) -> RenderableType:
        """Read, and return all of it; failures are the caller's."""
        if not is_there(self._place):
            return empty(self._place, self._scope)
        return screen(self._read(), width=width, height=None)

    def now(
        self, fault: str | None, width: int, height: int, *, told: str | None = None
    ) -> RenderableType:
        """Read again, and return a screen; what fails is on it, above what was read last."""
        try:
            if not is_there(self._place):
                return empty(self._place, self._scope, fault, told)
            self._shown = self._read()
        except (StorageError, DataError) as error:
            fault = error.what
        if self._shown is None:
            return empty(self._place, self._scope, fault, told)
        return screen(self._shown, width=width, height=height, fault=fault, told=told)

    def _read(self) -> Shown:
        if self._log is None:
            self._log = PredictionLog(self._place)
        if time.monotonic() - self._summed > _SUM_UP_S:
            sum_up(self._log)
            self._summed = time.monotonic()
        now = time.time_ns() // 1000
        return read_shown(self._log, self._workspace, self._period, self._scope, now_us=now)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()


class Heard(logging.Handler):
    """Keeps what was logged last, which would be written over the screen.

    Args:
        clock: seconds, of any beginning.

    Attributes:
        told: the last message of the channel ``log``, with its time; None before the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self.told: str | None = None
        self._clock = clock
        self._fault: str | None = None
        self._until = 0.0

    @property
    def fault(self) -> str | None:
        """The last fault, for two rounds."""
        return self._fault if self._clock() < self._until else None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's message."""
        if record.name == LOGGER:
            self.told = f"{moment(round(1e6 * record.created))}: {record.getMessage()}"
        elif record.levelno >= logging.ERROR:
            self._fault, self._until = record.getMessage(), self._clock() + _FAULT_S

    def __enter__(self) -> Heard:
        logging.getLogger("deepfake_lightning").addHandler(self)
        return self

    def __exit__(self, *failure: object) -> None:
        logging.getLogger("deepfake_lightning").removeHandler(self)
