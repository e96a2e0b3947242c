"""A canary's file, and where it stands: the environment's record says that, the file what it is.

The file is written once, before the traffic is shared, and names the experiment that it will be.
The canary runs as long as the environment's record is of that experiment and is the one that was
noted last; its step is the candidate's share there. So a kill between two writes leaves nothing to
repair, and whoever changes the environment (a rollback) ends the canary without touching its file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake_lightning.deployment.acts import ChangeRecord
from deepfake_lightning.deployment.canary.judging import step_of
from deepfake_lightning.deployment.canary.policy import CanaryPolicy
from deepfake_lightning.deployment.environment import Environment, sole_version
from deepfake_lightning.deployment.history import written
from deepfake_lightning.errors import DeploymentError
from deepfake_lightning.schemas.environment import EnvironmentRecord, VersionName
from deepfake_lightning.storage import write_json

FOLDER = "canary"  # below the workspace's deployment

End = Literal["done", "rolled_back", "other"]


class CanaryState(BaseModel):
    """The file ``deployment/canary/<environment>.json``.

    Attributes:
        schema_version: version of this record (``schema`` in the file).
        environment: whose traffic is shared.
        champion, candidate: versions.
        experiment: that deals the clients; of this canary alone.
        begun: when, UTC, RFC 3339.
        policy: how it is judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    environment: str
    champion: VersionName
    candidate: VersionName
    experiment: str
    begun: str
    policy: CanaryPolicy


@dataclass(frozen=True)
class Standing:
    """Where a canary stands.

    Attributes:
        record: of the environment, now.
        share: the candidate's; what it was last, where the canary has ended.
        step: number of the step of that share, from 0.
        changes: the changes that began it and its steps, in order; empty where it never began.
        end: how it ended: ``other``: somebody else changed what serves. None while it runs.
        ended_by: the change that ended it; None while it runs, or where no record tells.
    """

    record: EnvironmentRecord
    share: float
    step: int
    changes: tuple[ChangeRecord, ...]
    end: End | None = None
    ended_by: ChangeRecord | None = None


def state_path(environment: Environment) -> Path:
    """Return where an environment's canary is kept."""
    return environment.workspace.deployment / FOLDER / f"{environment.name}.json"


def write_state(environment: Environment, state: CanaryState) -> None:
    """Write a canary's file.

    Raises:
        StorageError: the machine refused.
    """
    write_json(state_path(environment), state.model_dump(mode="json", by_alias=True))


def read_state(environment: Environment) -> CanaryState | None:
    """Return an environment's latest canary, None where there never was one.

    Raises:
        DeploymentError: its file cannot be read.
    """
    path = state_path(environment)
    try:
        return CanaryState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise DeploymentError(
            f"{path} cannot be read: {str(error).splitlines()[0][:200]}",
            why="it says how the canary is judged",
            next_step="restore it from a copy, or end the canary: "
            f"deepfake-lightning rollback --env {environment.name} --reason ...",
        ) from error


def standing(environment: Environment, state: CanaryState) -> Standing:
    """Return where a canary stands.

    Raises:
        UsageError, DeploymentError, StorageError: environment or history cannot be read.
    """
    record, done = environment.record(), environment.history.done(environment.name)
    of_it = [place for place, one in enumerate(done) if one.after.experiment == state.experiment]
    changes = tuple(done[place] for place in of_it)
    if not changes:
        return Standing(record, 0.0, 0, (), "other")
    share = _share(changes[-1].after, state)
    step = step_of(share, state.policy.steps)
    after = done[of_it[-1] + 1 :]
    if not after and record == written(changes[-1]):
        return Standing(record, share, step, changes)
    ended_by = after[0] if after else None  # none: the file was changed by hand
    return Standing(record, share, step, changes, _end(ended_by, state), ended_by)


def _share(record: EnvironmentRecord, state: CanaryState) -> float:
    return sum(one.share for one in record.serving if one.version == state.candidate)


def _end(change: ChangeRecord | None, state: CanaryState) -> End:
    if change is None or change.decision is None:
        return "other"
    if not change.decision.path.startswith(f"{FOLDER}/{state.experiment}/"):
        return "other"
    return "done" if sole_version(change.after) == state.candidate else "rolled_back"


def time_us(at: str) -> int:
    """Return an RFC 3339 time as microseconds since 1970, UTC."""
    return round(datetime.fromisoformat(at).timestamp() * 1_000_000)
