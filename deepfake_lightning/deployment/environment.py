"""An environment: what serves there, and the one way to change it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from deepfake_lightning.deployment.acts import Act, ChangeRecord
from deepfake_lightning.deployment.history import FIRST, History, hash_of, is_pending, written
from deepfake_lightning.errors import DeploymentError, UsageError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.registering import user
from deepfake_lightning.registry.trust import policy_of, serving_bundle
from deepfake_lightning.schemas.environment import (
    NAME,
    EnvironmentRecord,
    Serving,
    read_environment,
)
from deepfake_lightning.storage import Workspace, lock, write_json

_LOOK_EVERY = 0.05  # seconds


def utc_now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def whole(version: str) -> EnvironmentRecord:
    """Return the record of one version with all the traffic."""
    return EnvironmentRecord(serving=(Serving(version=version, share=1.0),))


def main_version(record: EnvironmentRecord) -> str | None:
    """Return the version with the largest share, the first of equals; None where none answers."""
    return max(record.serving, key=lambda one: one.share).version if record.serving else None


def sole_version(record: EnvironmentRecord) -> str | None:
    """Return the version that answers all requests, None where there is no such one."""
    answering = [one.version for one in record.serving if one.share > 0]
    return answering[0] if len(answering) == 1 else None


class Environment:
    """What serves in one environment of a workspace.

    Args:
        workspace: whose.
        name: ``staging``, ``production``, or any other.
        clock: gives the time, with its zone.

    Attributes:
        history: of all the workspace's environments.

    Raises:
        UsageError: the name is none.
    """

    def __init__(
        self, workspace: Workspace, name: str, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name of an environment",
                why="it is a file's name: small letters, digits, - and _, a letter first",
                next_step="--env staging, or --env production",
            )
        self.workspace = workspace
        self.name = name
        self.path = workspace.environments / f"{name}.json"
        self.history = History(workspace)
        self._clock = clock

    def record(self) -> EnvironmentRecord:
        """Return what the file says now; nothing is deployed where there is none.

        Raises:
            UsageError: it cannot be read as such a record.
        """
        return read_environment(self.path)

    def change(
        self, expected: EnvironmentRecord, after: EnvironmentRecord, act: Act
    ) -> ChangeRecord:
        """Change what serves, from what the caller knows to serve now.

        The record of it is on disk before the file is replaced. Whoever is killed in between has
        changed nothing, and the next change notes that.

        Args:
            expected: what the decision to change was made from, as :meth:`record` gave it.
            after: what is to serve; who, when and why are filled in.
            act: what is done.

        Returns:
            The record of the change.

        Raises:
            DeploymentError: something else serves by now.
            RegistryError, BundleError: a version that is to serve is not signed, where that is
                asked for, or not what was registered.
            StorageError: the machine refused; what served before does so still.
        """
        self._check_signed(after)
        at = self._clock().astimezone(UTC).isoformat(timespec="microseconds")
        by = act.by or user()
        with lock(self.history.path):
            now = self.check(expected)
            self._settle(now, at, by)
            told = {"changed": at, "by": by, "reason": act.reason, "change": None}
            change = self._note(now, after.model_copy(update=told), act, at, by)
            write_json(self.path, written(change).model_dump(mode="json", by_alias=True))
        return change

    def check(self, expected: EnvironmentRecord) -> EnvironmentRecord:
        """Return what the file says, which has to be what a decision was made from.

        Raises:
            DeploymentError: something else serves by now.
        """
        now = self.record()
        if now != expected:
            raise self._overtaken(now)
        return now

    def taken(self, change: ChangeRecord) -> bool:
        """Whether the server that follows this environment has taken a change.

        A server that does not run any more has taken what it took last.
        """
        try:
            last = read_environment(self.workspace.serving / f"{self.name}.json")
        except UsageError:
            return False
        return last.change == change.hash

    def wait_taken(self, change: ChangeRecord, seconds: float = 5.0) -> bool:
        """Wait until a server has taken a change; return whether one has in that time."""
        end = time.monotonic() + seconds
        while not self.taken(change):
            if time.monotonic() > end:
                return False
            time.sleep(_LOOK_EVERY)
        return True

    def previous(self) -> str | None:
        """Return the version to which a rollback goes: the one that had all the traffic before.

        A version that was rolled back from is not gone back to: rolling back twice goes back two
        versions. None where there is none.

        Raises:
            DeploymentError, UsageError, StorageError: history or file cannot be read.
        """
        before: list[str] = []
        for one in self.history.done(self.name):
            version = sole_version(one.after)
            if version is None:
                continue
            if one.event == "rollback" and version in before:
                del before[before.index(version) :]
            if before[-1:] != [version]:
                before.append(version)
        if before and before[-1] == sole_version(self.record()):
            before.pop()
        return before[-1] if before else None

    def _check_signed(self, after: EnvironmentRecord) -> None:
        if policy_of(self.workspace).asks(self.name):
            registry = Registry(self.workspace)
            for version in after.versions:
                serving_bundle(registry, version, self.name)

    def _settle(self, now: EnvironmentRecord, at: str, by: str) -> None:
        """Note what the history does not tell of what is found in the file."""
        changes = self.history.changes(self.name)
        if not changes:
            if now != EnvironmentRecord():
                found = Act("manual", "the file was there before any record")
                self._note(EnvironmentRecord(), now, found, at, by)
            return
        last = changes[-1]
        if is_pending(last, now):
            found = Act("interrupted", f"record {last.number} never took place")
            self._note(now, now, found, at, by)
        elif now != written(last):
            found = Act("manual", "the file was changed by hand, and not noted")
            self._note(written(last), now, found, at, by)

    def _note(
        self, before: EnvironmentRecord, after: EnvironmentRecord, act: Act, at: str, by: str
    ) -> ChangeRecord:
        changes = self.history.changes()
        record = ChangeRecord(
            number=changes[-1].number + 1 if changes else 1,
            at=at,
            event=act.event,
            environment=self.name,
            before=before,
            after=after,
            by=by,
            reason=act.reason,
            decision=self.history.basis(act.decision) if act.decision else None,
            previous=changes[-1].hash if changes else FIRST,
            hash=FIRST,
        )
        record = record.model_copy(update={"hash": hash_of(record)})
        self.history.append(record)
        return record

    def _overtaken(self, now: EnvironmentRecord) -> DeploymentError:
        who = f" by {now.by}" if now.by else ""
        when = f" at {now.changed[:16].replace('T', ' ')}" if now.changed else ""
        return DeploymentError(
            f"{self.name} was changed meanwhile{who}{when}: {now.says} serves now",
            why="what was decided was decided on what served before",
            next_step="look at it: deepfake-lightning registry history; then run the command again",
        )
