"""What is done to an environment: by whom, why, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.schemas.environment import EnvironmentRecord

Event = Literal[
    "deploy", "force", "rollback", "canary", "abtest", "promote", "interrupted", "manual"
]
"""``interrupted``: the record before it never took place. ``manual``: found, not done here."""
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Act:
    """What somebody is about to do.

    Attributes:
        event: what it is.
        reason: why, in the words of whoever does it.
        by: who; None: the user of this process.
        decision: what it rests on, a file or folder below the workspace's ``deployment``; POSIX.
    """

    event: Event
    reason: str = ""
    by: str | None = None
    decision: str | None = None


class Basis(BaseModel):
    """The decision that a change rests on.

    Attributes:
        path: below the workspace's ``deployment``, POSIX.
        sha256: of the file, or of the names and hashes of all files of the folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: Hash


class ChangeRecord(BaseModel):
    """A line of ``deployment/history.jsonl``: a change of what serves.

    Attributes:
        schema_version: version of this record (``schema`` in the file).
        number: 1, 2, ... over all environments.
        at: UTC, RFC 3339.
        event: what was done.
        environment: to which.
        before, after: what served, and what was to serve.
        by: who did it.
        reason: why.
        decision: what it rests on, None for nothing.
        previous: hash of the record before, zeros for the first.
        hash: SHA-256 of all else, as :func:`~deepfake_lightning.deployment.history.hash_of` has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    number: Annotated[int, Field(ge=1)]
    at: str
    event: Event
    environment: str
    before: EnvironmentRecord
    after: EnvironmentRecord
    by: str
    reason: str = ""
    decision: Basis | None = None
    previous: Hash
    hash: Hash
