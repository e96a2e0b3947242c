"""Loops, and what is kept of each: ``retraining/loops/0001/loop.json``, always whole.

A loop that has no outcome yet was interrupted, whatever interrupted it: the next one goes on with
it, at the step that is not done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake_lightning.errors import DataError, StorageError
from deepfake_lightning.retraining.triggers import Outcome
from deepfake_lightning.storage import Workspace, atomic_folder, write_json

FILE, COLLECTED = "loop.json", "collected.json"
Step = Literal["collect", "merge", "train", "register", "evaluate", "stage", "goal"]

MOST_DEATHS = 5
"""So often a loop's process may die at the same step before the loop is given up."""
_MOST_FAILURES = 3
_KEPT_AFTER: tuple[Step, ...] = ("register", "evaluate", "stage", "goal")


class StepRecord(BaseModel):
    """A step that is done.

    Attributes:
        started_us, finished_us: microseconds since 1970, UTC; of the attempt that finished it.
        result: what came of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    started_us: int
    finished_us: int
    result: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished_us - self.started_us) / 1e6


class LoopRecord(BaseModel):
    """What is known of a loop.

    Attributes:
        schema_version: version of this record (``schema`` in the file).
        number: 1, 2, ... over all environments.
        environment: whose version is trained again.
        base: that version.
        by: who started it.
        started_us, finished_us: microseconds since 1970, UTC.
        trigger: why: what :meth:`~deepfake_lightning.retraining.triggers.Trigger.to_dict` gives,
            with what it was decided on and the policy, which holds to the loop's end.
        attempts: how often a process began to work on it.
        deaths: how often a process began since a step was done, and neither failed nor was
            interrupted by somebody.
        failures: how often a step failed.
        steps: those that are done.
        version: what came of it, once it is registered.
        outcome: None while it is under way, or was interrupted.
        step: the one that it was at in the end, where it did not get through.
        resumes: whether it failed in a training that can be gone on with.
        note: why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    number: Annotated[int, Field(ge=1)]
    environment: str
    base: str
    by: str
    started_us: int
    finished_us: int | None = None
    trigger: dict[str, Any]
    attempts: int = 0
    deaths: int = 0
    failures: int = 0
    steps: dict[Step, StepRecord] = {}
    version: str | None = None
    outcome: Outcome | None = None
    step: Step | None = None
    resumes: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        """Name of its folder, and of its training's."""
        return f"retrain-{self.number:04d}"

    @property
    def goes_on(self) -> bool:
        """Whether it is gone on with: interrupted, or failed with a training that is of use."""
        if self.outcome is None:
            return True
        again = self.failures < _MOST_FAILURES and self.deaths < MOST_DEATHS
        return self.outcome == "failed" and again and (self.resumes or self.step in _KEPT_AFTER)

    @property
    def at_step(self) -> Step | None:
        """The first step that is not done; None where all are."""
        return next((one for one in get_args(Step) if one not in self.steps), None)

    def result(self, step: Step) -> dict[str, Any]:
        """Return what came of a step that is done."""
        return self.steps[step].result

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)


class Loops:
    """The loops of a workspace.

    Args:
        workspace: whose.

    Attributes:
        root: folder of their folders; it need not be there.
        guard: whoever works on them holds the lock of it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.root = workspace.retraining / "loops"
        self.guard = workspace.retraining / "loop"
        self._runs = workspace.runs

    def folder(self, number: int) -> Path:
        """Return the folder of a loop."""
        return self.root / f"{number:04d}"

    def all(self, environment: str | None = None) -> list[LoopRecord]:
        """Return the loops in order, those of one environment or of all.

        Raises:
            DataError: a record is damaged.
        """
        found = [_read(path) for path in sorted(self.root.glob(f"[0-9]*/{FILE}"))]
        return [one for one in found if environment in (None, one.environment)]

    def latest(self, environment: str) -> LoopRecord | None:
        """Return the latest loop of an environment."""
        return next(reversed(self.all(environment)), None)

    def last_under_way(self) -> LoopRecord | None:
        """Return the one without an outcome whose record was changed last, of all environments.

        While the guard is locked it is the one at work, once that has begun: one that was
        interrupted is not changed any more.
        """
        going = [one for one in self.all() if one.outcome is None]
        return max(going, key=lambda one: (self.folder(one.number) / FILE).stat().st_mtime_ns,
                   default=None)  # fmt: skip

    def begin(
        self, environment: str, base: str, by: str, trigger: dict[str, Any], now_us: int
    ) -> LoopRecord:
        """Return a new loop, whose folder and record are there. Whoever calls holds the lock.

        Its number is above those of all trainings, too: their runs outlive the folders of loops,
        and one that is there already would pass for this loop's.

        Raises:
            StorageError: the machine refused.
        """
        names = [path.name for path in self.root.glob("[0-9]*")]
        names += [path.name.removeprefix("retrain-") for path in self._runs.glob("*/retrain-*")]
        number = max((int(name) for name in names if name.isdecimal()), default=0) + 1
        record = LoopRecord(number=number, environment=environment, base=base, by=by,
                            started_us=now_us, trigger=trigger)  # fmt: skip
        with atomic_folder(self.folder(number)) as aside:
            write_json(aside / FILE, record.to_dict())
        self.folder(number).chmod(0o700)  # faces come to lie there
        return record

    def keep(self, record: LoopRecord) -> LoopRecord:
        """Replace what is kept of a loop; return it.

        Raises:
            StorageError: the machine refused; what was there before is intact.
        """
        write_json(self.folder(record.number) / FILE, record.to_dict())
        return record


def _read(path: Path) -> LoopRecord:
    try:
        return LoopRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"{path} is no record of a loop: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            why="what was done of it cannot be told",
            next_step="restore it from a backup, and leave its folder where it is: versions were "
            "trained on the media there",
        ) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
