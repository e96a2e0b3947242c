"""Which versions serve now: as they were named, or as an environment's file says at any time."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.errors import DeepfakeLightningError, StorageError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, read_environment
from deepfake_lightning.serving.fleet.lineup import Lineup, Served
from deepfake_lightning.storage import write_json

logger = logging.getLogger(__name__)

_LOOK_EVERY = 0.2  # seconds: a rollback serves within one
_TRY_AGAIN = 30.0  # seconds: a version may be on its way yet
_KEPT_OPEN = 2  # versions that served last, so that going back to one takes no loading


class Fleet(Protocol):
    """Whoever knows which versions serve.

    Attributes:
        refused: why what was asked for last does not serve; None where it does.
    """

    refused: str | None

    def current(self) -> Lineup:
        """Return who serves now."""
        ...

    def start(self) -> None:
        """Begin to follow changes."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class FixedFleet:
    """Versions that were named and do not change."""

    refused: str | None = None

    def __init__(self, lineup: Lineup) -> None:
        self._lineup = lineup

    def current(self) -> Lineup:
        """Return who serves."""
        return self._lineup

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


class FollowingFleet:
    """Follows an environment's file.

    When it changes, versions that are new are found, verified, opened, warmed and checked, all in
    a thread of its own, and then take the traffic between two requests. Where one of them fails,
    none of the change is done: who served goes on, and the change is tried again now and then. A
    process that begins while a change is refused takes what served last.

    Args:
        path: of the file, ``deployment/config/production.json``.
        last: where what served last is noted.
        find: returns a version's bundle.
        open_version: opens one.
        on_change: told the lineup, and why a change was refused (None where it was not).

    Raises:
        DeepfakeLightningError: what is to serve at the start cannot.
    """

    def __init__(
        self,
        path: Path,
        last: Path,
        find: Callable[[str], Bundle],
        open_version: Callable[[Bundle], Served],
        on_change: Callable[[Lineup, str | None], None] = lambda lineup, refused: None,
    ) -> None:
        self._path = path
        self._last = last
        self._find = find
        self._open = open_version
        self._on_change = on_change
        self._kept: OrderedDict[str, Served] = OrderedDict()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="environment", daemon=True)
        self.refused: str | None = None
        self._stamp = _stamp(path)
        self._tried = time.monotonic()
        self._lineup = self._begin()
        on_change(self._lineup, self.refused)

    def current(self) -> Lineup:
        """Return who serves now."""
        return self._lineup

    def start(self) -> None:
        """Begin to follow the file."""
        self._thread.start()

    def stop(self) -> None:
        """End it; who serves goes on serving."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _begin(self) -> Lineup:
        try:
            record = self._read(was_there=self._last.is_file())
            lineup = self._line_up(record, Lineup())
        except DeepfakeLightningError as error:
            if not self._last.is_file():
                raise
            lineup = self._line_up(read_environment(self._last), Lineup())
            self._say_refused(error.what)
            return lineup
        self._note(record)
        return lineup

    def _read(self, *, was_there: bool) -> EnvironmentRecord:
        """Return what the file says; one that is lost must not take all versions out."""
        if was_there and self._stamp is None:
            raise UsageError(f"{self._path} is gone; one without versions takes all out")
        return read_environment(self._path)

    def _note(self, record: EnvironmentRecord) -> None:
        """Note what serves, for who begins later; that it cannot be noted hinders nobody."""
        try:
            write_json(self._last, record.model_dump(mode="json", by_alias=True))
        except StorageError as error:
            logger.error("%s", error.what)

    def _follow(self) -> None:
        while not self._end.wait(_LOOK_EVERY):
            stamp = _stamp(self._path)
            again = self.refused and time.monotonic() - self._tried > _TRY_AGAIN
            if stamp != self._stamp or again:
                self._stamp, self._tried = stamp, time.monotonic()
                self._change()

    def _change(self) -> None:
        began = time.perf_counter()
        try:
            record = self._read(was_there=True)
            lineup = self._line_up(record, self._lineup)
        except DeepfakeLightningError as error:
            self._refuse(error.what)
        except Exception as error:  # whatever it is, who serves has to go on
            logger.exception("%s: a change failed", self._path.name)
            self._refuse(f"{type(error).__name__}: {error}")
        else:
            self._lineup, self.refused = lineup, None
            self._on_change(lineup, None)
            self._note(record)
            said = ", ".join(
                f"{one.engine.version} {share:.0%}"
                for one, share in zip(lineup.serving, lineup.shares, strict=True)
            )
            logger.info("%s: now serves %s (took %.2f s)", self._path.stem, said or "nothing",
                        time.perf_counter() - began)  # fmt: skip

    def _refuse(self, reason: str) -> None:
        self._say_refused(reason)
        self._on_change(self._lineup, reason)

    def _say_refused(self, reason: str) -> None:
        if reason != self.refused:
            logger.error("%s: a change is refused, and what served before goes on: %s",
                         self._path.stem, reason)  # fmt: skip
        self.refused = reason

    def _line_up(self, record: EnvironmentRecord, before: Lineup) -> Lineup:
        opened = {name: self._version(name, before) for name in record.versions}
        for served in opened.values():
            self._kept[served.engine.digest] = served
            self._kept.move_to_end(served.engine.digest)
        while len(self._kept) > len(opened) + _KEPT_OPEN:
            self._kept.popitem(last=False)
        return Lineup(
            self._path.stem,
            record.experiment or self._path.stem,
            tuple(opened[one.version] for one in record.serving),
            tuple(one.share for one in record.serving),
            tuple(opened[name] for name in record.shadow),
        )

    def _version(self, name: str, before: Lineup) -> Served:
        bundle = self._find(name)  # its files are checked again, those of an open version, too
        found = before.find(bundle.digest) or self._kept.get(bundle.digest)
        return found or self._open(bundle)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells one content of a file from the next; it is replaced, never edited."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
