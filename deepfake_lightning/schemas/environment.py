"""What serves where: the record of an environment, the one truth about deployed versions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas.calibration import percent
from deepfake_lightning.schemas.version_names import canonical

ENVIRONMENTS = ("staging", "production")
"""Those that every workspace has, in the order in which a version passes them."""
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
"""What an environment may be called: its file is."""


def _canonical(name: str) -> str:
    try:
        return canonical(name)
    except UsageError as error:
        raise ValueError(error.what) from error


VersionName = Annotated[str, AfterValidator(_canonical)]


class Serving(BaseModel):
    """A version and its share of the traffic.

    Attributes:
        version: of the registry, ``v1.0.0``.
        share: of the requests, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: VersionName
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class EnvironmentRecord(BaseModel):
    """The file ``deployment/config/production.json``.

    Attributes:
        schema_version: version of this record (``schema`` in the file).
        serving: the versions that answer; their shares sum to 1. Empty where nothing is deployed.
        shadow: versions that score the same requests and do not answer.
        experiment: that deals the clients to the versions; None: the environment's name. Another
            one deals them anew.
        changed: UTC, RFC 3339.
        by: who changed it last.
        reason: why.
        change: hash of the record of this change in ``deployment/history.jsonl``; None for a file
            that was written by hand.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    serving: tuple[Serving, ...] = ()
    shadow: tuple[VersionName, ...] = ()
    experiment: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    changed: str | None = None
    by: str | None = None
    reason: str = ""
    change: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _check_shares(self) -> EnvironmentRecord:
        names = [one.version for one in self.serving]
        if len({*names, *self.shadow}) != len(names) + len(self.shadow):
            raise ValueError("a version stands in it twice")
        total = sum(one.share for one in self.serving)
        if self.serving and abs(total - 1) > 1e-6:
            raise ValueError(f"the shares sum to {total:g}, not to 1")
        return self

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that are deployed here, those in the shadow included."""
        return (*(one.version for one in self.serving), *self.shadow)

    @property
    def says(self) -> str:
        """What serves in a few words: ``v1.0.0 95 %, v1.1.0 5 %``; ``nothing``."""
        alone = len(self.serving) == 1
        said = [one.version if alone else f"{one.version} {percent(one.share)}"
                for one in self.serving]  # fmt: skip
        return ", ".join([*said, *(f"{one} in the shadow" for one in self.shadow)]) or "nothing"


def read_environment(path: Path) -> EnvironmentRecord:
    """Return what a file says; an environment without a file has nothing deployed.

    Raises:
        UsageError: the file cannot be read as such a record.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        if isinstance(content, dict) and isinstance(content.get("schema"), int):
            newer = content["schema"] > 1
            if newer:
                raise ValueError(f"schema {content['schema']} is newer than this version reads (1)")
        return EnvironmentRecord.model_validate(content)
    except FileNotFoundError:
        return EnvironmentRecord()
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        said = fault["msg"].removeprefix("Value error, ")
        raise _unusable(path, f"{where}: {said}" if where else said) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)[:200]) from error


def _unusable(path: Path, fault: str) -> UsageError:
    return UsageError(
        f"{path} cannot be read: {fault}",
        why="it says which versions are deployed; without it none may be changed",
        next_step="correct the file, or restore it from a copy",
    )
