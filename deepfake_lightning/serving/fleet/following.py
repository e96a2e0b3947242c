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
from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.schemas.environment import EnvironmentRecord, read_environment
from deepfake_lightning.serving.fleet.lineup import Lineup, Served

logger = logging.getLogger(__name__)

_LOOK_EVERY = 0.2  # seconds: a rollback serves within one
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
    none of the change is done: who served goes on, until the file changes again.

    Args:
        path: of the file, ``deployment/config/production.json``.
        find: returns a version's bundle.
        open_version: opens one.
        on_change: told the lineup, and why a change was refused (None where it was not).

    Raises:
        DeepfakeLightningError: what is to serve at the start cannot.
    """

    def __init__(
        self,
        path: Path,
        find: Callable[[str], Bundle],
        open_version: Callable[[Bundle], Served],
        on_change: Callable[[Lineup, str | None], None] = lambda lineup, refused: None,
    ) -> None:
        self._path = path
        self._find = find
        self._open = open_version
        self._on_change = on_change
        self._kept: OrderedDict[str, Served] = OrderedDict()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="environment", daemon=True)
        self.refused: str | None = None
        self._stamp = _stamp(path)
        self._lineup = self._line_up(read_environment(path), Lineup())
        on_change(self._lineup, None)

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

    def _follow(self) -> None:
        while not self._end.wait(_LOOK_EVERY):
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._change()

    def _change(self) -> None:
        began = time.perf_counter()
        try:
            lineup = self._line_up(read_environment(self._path), self._lineup)
        except DeepfakeLightningError as error:
            self._refuse(error.what)
        except Exception as error:  # whatever it is, who serves has to go on
            logger.exception("%s: a change failed", self._path.name)
            self._refuse(f"{type(error).__name__}: {error}")
        else:
            self._lineup, self.refused = lineup, None
            self._on_change(lineup, None)
            said = ", ".join(
                f"{one.engine.version} {share:.0%}"
                for one, share in zip(lineup.serving, lineup.shares, strict=True)
            )
            logger.info("%s: now serves %s (took %.2f s)", self._path.stem, said or "nothing",
                        time.perf_counter() - began)  # fmt: skip

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        self._on_change(self._lineup, reason)
        logger.error("%s: a change is refused, and what served before goes on: %s",
                     self._path.stem, reason)  # fmt: skip

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
