"""Whether the history is whole: nothing in it was changed, and nothing is missing."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from deepfake_lightning.deployment.acts import ChangeRecord
from deepfake_lightning.deployment.history import (
    FIRST,
    FOUND,
    History,
    content_hash,
    hash_of,
    is_pending,
    written,
)
from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.schemas.environment import EnvironmentRecord
from deepfake_lightning.storage import Workspace


def verify_history(workspace: Workspace) -> list[str]:
    """Return what is wrong with the record of what served, in sentences; empty where nothing is.

    Raises:
        StorageError: it cannot be read.
    """
    history = History(workspace)
    faults, records = [], []
    for number, line in enumerate(history.lines(), start=1):
        try:
            records.append(ChangeRecord.model_validate_json(line))
        except ValidationError:
            faults.append(f"line {number} is no record of a change")
    faults += _links(records)
    faults += _bases(workspace, records)
    faults += _environments(workspace, history, records)
    return faults


def _links(records: list[ChangeRecord]) -> Iterator[str]:
    previous, number = FIRST, 0
    served: dict[str, EnvironmentRecord] = {}
    for one in records:
        name = f"record {one.number} ({one.event}, {one.environment}, {one.at[:16]})"
        if one.number != number + 1:
            missing = one.number - number - 1
            yield f"{name} follows record {number}: " + (
                f"{missing} in between are missing" if missing > 0 else "records are out of order"
            )
        elif one.previous != previous:
            yield f"{name} does not follow the record before it: that one is another than it was"
        if hash_of(one) != one.hash:
            yield f"{name} was changed after it was written"
        before = served.get(one.environment)
        if before is not None and one.before != before and one.event not in FOUND:
            yield f"{name} begins with what did not serve before it"
        served[one.environment] = written(one)
        previous, number = one.hash, one.number


def _bases(workspace: Workspace, records: list[ChangeRecord]) -> Iterator[str]:
    for one in records:
        if one.decision is None:
            continue
        try:
            same = content_hash(workspace.deployment / one.decision.path) == one.decision.sha256
        except OSError:
            yield f"{one.decision.path}, which record {one.number} rests on, is gone"
        else:
            if not same:
                yield f"{one.decision.path}, which record {one.number} rests on, was changed"


def _environments(
    workspace: Workspace, history: History, records: list[ChangeRecord]
) -> Iterator[str]:
    last = {one.environment: one for one in records}
    files = {path.stem for path in workspace.environments.glob("[!.]*.json")}
    for name in sorted({*files, *last}):
        try:
            now = history.environment(name)
        except DeepfakeLightningError as error:
            yield error.what
            continue
        if name in last and (now == written(last[name]) or is_pending(last[name], now)):
            continue
        noted = {one.hash for one in records}
        if now.change is not None and now.change not in noted:
            yield f"{name} names record {now.change[:12]}, which is missing"
        elif name in last or now.versions:
            yield f"what serves in {name} was changed by hand, and not noted"
