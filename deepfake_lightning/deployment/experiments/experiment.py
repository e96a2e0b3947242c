"""An experiment: which versions, with which shares, under which rules; and whether it runs.

What is on disk is what was set up; it is never changed. Whether it runs, since when, and what ended
it, is read off what serves and its history: there is nothing that a killed command could leave
half done, and whatever changes the environment ends the experiment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake_lightning.deployment.acts import ChangeRecord
from deepfake_lightning.deployment.environment import Environment, main_version
from deepfake_lightning.deployment.experiments.policy import ExperimentPolicy
from deepfake_lightning.errors import DeploymentError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving, VersionName
from deepfake_lightning.storage import Workspace, write_json

Mode = Literal["share", "shadow"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Experiment(BaseModel):
    """The file ``deployment/experiments/<name>.json``.

    Attributes:
        schema_version: version of this record (``schema`` in the file).
        name: it deals the clients to the versions; another one deals them anew.
        environment: in which.
        mode: ``share``: each version answers its share of the requests. ``shadow``: the control
            answers all, and the others score them, too.
        arms: the versions, the control first, with their shares; in the shadow these are 0.
        policy: the rules.
        set_up: when, UTC, RFC 3339.
        by: who set it up.
        reason: why.
        untried: challengers that passed no gate, which somebody took nevertheless.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    name: str
    environment: str
    mode: Mode
    arms: Annotated[tuple[Serving, ...], Field(min_length=2)]
    policy: ExperimentPolicy = ExperimentPolicy()
    set_up: str
    by: str
    reason: str = ""
    untried: tuple[VersionName, ...] = ()

    @property
    def control(self) -> str:
        """The version that the others are held against."""
        return self.arms[0].version

    @property
    def challengers(self) -> tuple[str, ...]:
        """The other versions."""
        return tuple(one.version for one in self.arms[1:])

    def serving(self) -> EnvironmentRecord:
        """Return what serves while it runs."""
        if self.mode == "shadow":
            return EnvironmentRecord(
                serving=self.arms[:1], shadow=self.challengers, experiment=self.name
            )
        return EnvironmentRecord(serving=self.arms, experiment=self.name)

    def serves_in(self, record: EnvironmentRecord) -> bool:
        """Whether a record is of this experiment."""
        mine = self.serving()
        return (mine.serving, mine.shadow, mine.experiment) == (
            record.serving, record.shadow, record.experiment,
        )  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Whether an experiment runs.

    Attributes:
        state: ``set up`` where it never came to serve, ``runs``, or ``ended``.
        started, ended: None where that is not so yet.
        ended_by: the change that ended it.
    """

    state: Literal["set up", "runs", "ended"]
    started: datetime | None = None
    ended: datetime | None = None
    ended_by: ChangeRecord | None = None

    @property
    def outcome(self) -> str | None:
        """The version that has most of the traffic since; None where it runs."""
        return main_version(self.ended_by.after) if self.ended_by else None


def run_of(experiment: Experiment, environment: Environment) -> Run:
    """Return whether an experiment runs, by what serves and what served.

    Raises:
        DeploymentError, UsageError, StorageError: history or environment cannot be read.
    """
    started: datetime | None = None
    for change in environment.history.done(environment.name):
        mine = experiment.serves_in(change.after)
        if mine and started is None:
            started = datetime.fromisoformat(change.at)
        elif started is not None and not mine:
            return Run("ended", started, datetime.fromisoformat(change.at), change)
    if started is None:
        return Run("set up")
    # A file that was changed by hand is in no record yet.
    return Run("runs" if experiment.serves_in(environment.record()) else "ended", started)


def path_of(workspace: Workspace, name: str) -> Path:
    """Return where an experiment is kept.

    Raises:
        UsageError: the name can be none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:100]!r} is no name of an experiment",
            why="it is a file's name: letters, digits, . _ -, at most 80",
            next_step="--name eyes-2026",
        )
    return workspace.deployment / "experiments" / f"{name}.json"


def keep(workspace: Workspace, experiment: Experiment) -> None:
    """Write an experiment to its file.

    Raises:
        StorageError: it could not be written.
    """
    record = experiment.model_dump(mode="json", by_alias=True)
    write_json(path_of(workspace, experiment.name), record)


def find(workspace: Workspace, name: str) -> Experiment | None:
    """Return an experiment, None where there is none of that name.

    Raises:
        UsageError: the name can be none, or the file cannot be read.
    """
    path = path_of(workspace, name)
    try:
        found = Experiment.model_validate_json(path.read_bytes())
        if found.name != name:
            raise ValueError(f"it is called {found.name}")
    except FileNotFoundError:
        return None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise _unusable(path, f"{where}: {fault['msg']}") from error
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)[:200]) from error
    return found


def every(workspace: Workspace) -> list[Experiment]:
    """Return all experiments, the one that was set up first first.

    Raises:
        UsageError: a file cannot be read.
    """
    folder = workspace.deployment / "experiments"
    names = sorted(path.stem for path in folder.glob("[!.]*.json") if _NAME.fullmatch(path.stem))
    found = [one for name in names if (one := find(workspace, name)) is not None]
    return sorted(found, key=lambda one: one.set_up)


def running_in(environment: Environment) -> Experiment | None:
    """Return the experiment that runs in an environment, None where none does.

    Raises:
        UsageError: a file cannot be read.
    """
    record = environment.record()
    known = record.experiment is not None and _NAME.fullmatch(record.experiment)
    found = find(environment.workspace, str(record.experiment)) if known else None
    same = found and found.environment == environment.name and found.serves_in(record)
    return found if same else None


def chosen(environment: Environment, name: str | None) -> Experiment:
    """Return an experiment by its name, or the one that runs, or the last one there was.

    Raises:
        DeploymentError: there is none.
        UsageError: a file cannot be read.
    """
    if name is not None:
        found = find(environment.workspace, name)
        others = [one.name for one in every(environment.workspace)]
        known = f"there are {', '.join(others)}" if others else "there are none"
    else:
        here = [o for o in every(environment.workspace) if o.environment == environment.name]
        found = running_in(environment) or (here[-1] if here else None)
        known = f"none was ever started in {environment.name}"
    if found is None:
        raise DeploymentError(
            f"there is no experiment {name}" if name else "there is no experiment",
            why=known,
            next_step=f"deepfake-lightning abtest start VERSION --env {environment.name}",
        )
    return found


def _unusable(path: Path, fault: str) -> UsageError:
    return UsageError(
        f"{path} cannot be read: {fault}",
        next_step="restore it from a copy, or move it away: what serves does not depend on it",
    )
