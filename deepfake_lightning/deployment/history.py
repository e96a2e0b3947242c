"""``deployment/history.jsonl``: every change of what serves, each with the hash of the one before.

Whoever changes, removes or adds a record breaks the chain from there on. That the last ones are
gone is told by the environments' files, which name the record they come from. It shows what was
changed afterwards, not who did it: whoever may write all of the files could make all of them anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from pydantic import ValidationError

from deepfake_lightning.deployment.acts import Basis, ChangeRecord
from deepfake_lightning.errors import DeploymentError, StorageError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, read_environment
from deepfake_lightning.storage import Workspace, file_hash, sync_folder

FILE = "history.jsonl"
FIRST = 64 * "0"
FOUND = ("interrupted", "manual")  # told of what was found in the file, which is not written


class History:
    """The record of a workspace.

    Args:
        workspace: whose.

    Attributes:
        path: of the file; it need not be there.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.path = workspace.deployment / FILE

    def changes(self, environment: str | None = None) -> list[ChangeRecord]:
        """Return what was noted, in order, also what never took place (:meth:`done`).

        Args:
            environment: of one; None: of all.

        Raises:
            DeploymentError: a line is no such record.
            StorageError: the file cannot be read.
        """
        found = []
        for number, line in enumerate(self.lines(), start=1):
            try:
                found.append(ChangeRecord.model_validate_json(line))
            except ValidationError as error:
                raise DeploymentError(
                    f"{self.path}: line {number} is no record of a change",
                    why="what was done before cannot be told for certain",
                    next_step="deepfake-lightning registry history --verify true",
                ) from error
        return [one for one in found if environment in (None, one.environment)]

    def done(self, environment: str) -> list[ChangeRecord]:
        """Return what took place in an environment, in order; see :meth:`changes`.

        A record is written before the change. One whose writer was killed in between is left out.
        """
        found: list[ChangeRecord] = []
        for one in self.changes(environment):
            if one.event == "interrupted":
                found.pop()
            else:
                found.append(one)
        if found and is_pending(found[-1], self.environment(environment)):
            found.pop()
        return found

    def append(self, record: ChangeRecord) -> None:
        """Add a record, on disk when this returns. Whoever calls holds the lock.

        Raises:
            StorageError: the machine refused.
        """
        line = (json.dumps(to_dict(record), ensure_ascii=False) + "\n").encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.truncate(_whole(self.path.read_bytes()))  # a killed writer's half a line
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self.path.parent)
        except OSError as error:
            raise StorageError(
                f"{self.path} could not be written: {error.strerror or error}",
                why="nothing is changed of which no record is kept",
                next_step="free space or fix permissions there, then run the command again",
            ) from error

    def environment(self, name: str) -> EnvironmentRecord:
        """Return what an environment's file says now."""
        return read_environment(self._workspace.environments / f"{name}.json")

    def basis(self, decision: str) -> Basis:
        """Return what a change rests on, with its hash.

        Raises:
            UsageError: it is not there, or not below ``deployment``.
        """
        path = self._workspace.deployment / decision
        if not path.resolve().is_relative_to(self._workspace.deployment.resolve()):
            raise UsageError(f"{decision} is not below {self._workspace.deployment}")
        try:
            return Basis(path=decision, sha256=content_hash(path))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error

    def lines(self) -> list[bytes]:
        """Return the lines that are whole; half a one is a killed writer's, who changed nothing.

        Raises:
            StorageError: the file cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror or error}") from error
        return content[: _whole(content)].splitlines()


def to_dict(record: ChangeRecord) -> dict[str, object]:
    """Return a record as plain JSON types, as in the file."""
    return record.model_dump(mode="json", by_alias=True)


def hash_of(record: ChangeRecord) -> str:
    """Return SHA-256 of a record but its hash: JSON with sorted keys, no spaces, UTF-8."""
    content = to_dict(record)
    del content["hash"]
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def content_hash(path: Path) -> str:
    """Return SHA-256 of a file, or of the names and hashes of all files in a folder."""
    if path.is_file():
        return file_hash(path)
    found = [(one.relative_to(path).as_posix(), one) for one in path.rglob("*") if one.is_file()]
    if not found:
        raise FileNotFoundError(2, "no such file, or an empty folder", str(path))
    lines = [f"{file_hash(one)}  {name}\n" for name, one in sorted(found)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def written(record: ChangeRecord) -> EnvironmentRecord:
    """Return what the environment's file says once a change has taken place."""
    if record.event in FOUND:
        return record.after
    return record.after.model_copy(update={"change": record.hash})


def is_pending(last: ChangeRecord, now: EnvironmentRecord) -> bool:
    """Whether the change of an environment's last record has not taken place (yet)."""
    return last.event not in FOUND and now == last.before


def _whole(content: bytes) -> int:
    """Return where the last whole line ends."""
    return content.rfind(b"\n") + 1
