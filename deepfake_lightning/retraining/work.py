"""What the steps of a loop work with, and how one of them ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.retraining.base import Base
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import LoopRecord, Loops
from deepfake_lightning.storage import Workspace

Progress = Callable[[str, int, int], None]


class Refused(Exception):
    """The loop ends here, and nothing is at fault: the version is not good enough, or needless."""


@dataclass
class Work:
    """What the steps of a loop work with.

    Attributes:
        workspace: whose.
        record: of the loop.
        base: what is trained again.
        policy: that the loop began with.
        log: the prediction log; None where there is none.
        workers: processes; None: as many as there are cores.
        environ: variables of the process that trains.
        progress: told what is done, how much of it, and how much there is.
    """

    workspace: Workspace
    record: LoopRecord
    base: Base
    policy: RetrainPolicy
    log: LogDatabase | None
    workers: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = lambda what, done, total: None

    @property
    def folder(self) -> Path:
        """The loop's folder."""
        return Loops(self.workspace).folder(self.record.number)

    @property
    def reason(self) -> str:
        """Why the loop was begun, in a line; its record says it with figures."""
        trigger = self.record.trigger
        kinds = [one["kind"] for one in trigger["causes"] if one["holds"]]
        by_hand = trigger["observed"]["by_hand"]
        said = [by_hand if kind == "by_hand" else kind for kind in kinds]
        return f"loop {self.record.number}: {', '.join(said)}"

    @property
    def version(self) -> str:
        """The version that was registered."""
        assert self.record.version is not None
        return self.record.version
