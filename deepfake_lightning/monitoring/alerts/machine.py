"""Does the log keep up, and is there room on the disks?"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.policy import AlertRule
from deepfake_lightning.monitoring.alerts.records import moment
from deepfake_lightning.monitoring.alerts.situation import MINUTE_US, Finding, Measurement
from deepfake_lightning.monitoring.alerts.traffic import finding_of
from deepfake_lightning.monitoring.log import PredictionLog, is_missing
from deepfake_lightning.monitoring.log.overview import Gap
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.tables import dirty_minutes
from deepfake_lightning.monitoring.log.writing import mark_dirty
from deepfake_lightning.monitoring.windows import Period, lost_in
from deepfake_lightning.storage import Workspace

Place = str | Path | PredictionLog
"""Where a log is: a path, a URL, or one that is open and stays so."""

_ROLLUP_SECONDS = 20.0  # that a round gives them
_WAIT_SECONDS = 10.0  # for another process that makes them
_SETTLED_US = 2 * MINUTE_US


@dataclass(frozen=True)
class Stall:
    """How far the log is behind what was answered.

    Attributes:
        fault: why it cannot be opened or written; None where it can.
        stale_minutes: age of the oldest minute of late that is not added up yet; 0 for none.
        gaps: times of late of which requests are lost.
    """

    fault: str | None = None
    stale_minutes: float = 0.0
    gaps: tuple[Gap, ...] = ()

    @property
    def behind(self) -> bool:
        """Whether it has not all that was answered of late."""
        return self.fault is not None or self.stale_minutes > 0 or bool(self.gaps)


@contextmanager
def opened(place: Place) -> Iterator[tuple[PredictionLog | None, str | None]]:
    """Give a log, or why it cannot be opened; neither where there is no file.

    Raises:
        UsageError: an address that cannot work.
    """
    if isinstance(place, PredictionLog):
        yield place, None
        return
    if is_missing(place):
        yield None, None
        return
    try:
        log = PredictionLog(place)
    except StorageError as error:
        yield None, error.what
        return
    with log:
        yield log, None


def catch_up(log: PredictionLog, now_us: int, window_minutes: float) -> Stall:
    """Write to the log, make the roll-ups that are due, and return how far it is behind.

    What is written names the present minute as one to be added up, which it will be anyway.
    """
    try:
        with log.writing() as connection:
            mark_dirty(connection, [now_us])
        end = time.monotonic() + _ROLLUP_SECONDS
        make_rollups(log, wait_seconds=_WAIT_SECONDS, stop=lambda: time.monotonic() > end)
        start = now_us - round(window_minutes * MINUTE_US)
        late = dirty_minutes.c.start_us
        with log.reading() as connection:
            oldest = connection.scalar(select(func.min(late)).where(
                late >= start, late < now_us - _SETTLED_US))  # fmt: skip
        lost = lost_in(log, Period(start, now_us + 1))
    except StorageError as error:
        return Stall(error.what)
    return Stall(None, (now_us - oldest) / MINUTE_US if oldest is not None else 0.0, lost)


def measure_log(rule: AlertRule, stall: Stall) -> Measurement:
    """Return what a stall means to a rule."""
    limit = rule.limit or 0.0
    lost = sum(gap.lost for gap in stall.gaps)
    finding: Finding = finding_of(rule, stall.stale_minutes, certain=True)
    says = "it is written and added up"
    if stall.fault is not None:
        finding, says = "broken", stall.fault
    elif lost:
        first, last = (min(gap.from_us for gap in stall.gaps), max(g.to_us for g in stall.gaps))
        finding, says = "broken", (
            f"{lost:,} requests and scores were answered and are not in the log, "
            f"{moment(first)} to {moment(last)}: {stall.gaps[0].reason}"
        )  # fmt: skip
    elif stall.stale_minutes > limit:
        says = f"what came {stall.stale_minutes:.0f} minutes ago is not added up yet"
    return Measurement(
        rule.name, "log", finding, stall.stale_minutes, rule.limit, lost or None, says,
        "deepfake-lightning log show; requests are answered all the while: free space, end what "
        "locks it, or start the database",
    )  # fmt: skip


@dataclass(frozen=True)
class Disk:
    """How full a disk is.

    Attributes:
        name: ``workspace`` or ``log``: what lies on it.
        folder: that was looked at.
        used: share that is used; None where it cannot be looked at.
        free: bytes.
        fault: why it cannot be looked at.
    """

    name: str
    folder: Path
    used: float | None = None
    free: int = 0
    fault: str = ""


def disks_of(workspace: Workspace, place: Place) -> list[Disk]:
    """Return the disks that the workspace and the log's file lie on, each of them once."""
    folders = {"workspace": workspace.root}
    if isinstance(place, PredictionLog):
        folders |= {"log": place.file.parent} if place.file else {}
    elif isinstance(place, Path) or "://" not in place:
        folders["log"] = Path(place).parent
    found, seen = [], set()
    for name, folder in folders.items():
        there = next((one for one in (folder, *folder.absolute().parents) if one.exists()), folder)
        try:
            device, space = there.stat().st_dev, shutil.disk_usage(there)
        except OSError as error:
            found.append(Disk(name, there, fault=error.strerror or "it cannot be looked at"))
            continue
        if device in seen:
            continue
        seen.add(device)
        # As df has it: what only the system may use is not room.
        used = space.used / (space.used + space.free) if space.used + space.free else 1.0
        found.append(Disk(name, there, used, space.free))
    return found


def measure_disk(rule: AlertRule, workspace: Workspace, place: Place) -> list[Measurement]:
    """Return how full the disks are that the workspace and the log's file lie on."""
    found = []
    for disk in disks_of(workspace, place):
        subject = f"disk/{disk.name}"
        if disk.used is None:
            found.append(Measurement(rule.name, subject, "unknown", limit=rule.limit,
                                     says=disk.fault))  # fmt: skip
            continue
        says = (f"the disk of {os.fspath(disk.folder)} is {100 * disk.used:.0f} % full, "
                f"{disk.free / 1e9:,.1f} GB are free")  # fmt: skip
        found.append(Measurement(
            rule.name, subject, finding_of(rule, disk.used, certain=True), disk.used, rule.limit,
            None, says, "deepfake-lightning log prune --days 90; or make room there",
        ))  # fmt: skip
    return found
