"""Where alerts are kept: files beside the prediction log, so that they work while it does not.

``state.json`` is the truth, and is replaced as a whole: alerts, silences, and what is still to be
delivered. A kill between judging and delivering delivers after the restart; one between delivering
and noting that delivers twice, with the same id.

On a full disk the process that judges goes on with what it could not write, and writes it later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import DataError, StorageError
from deepfake_lightning.monitoring.alerts.history import HISTORY, append_history, folder_of
from deepfake_lightning.monitoring.alerts.records import (
    Alert,
    AlertEvent,
    Silence,
    Undelivered,
    alert_of,
    event_of,
    known,
)
from deepfake_lightning.storage import Workspace, lock, write_json

STATE = "state.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Message:
    """Something that a channel is to be told.

    Attributes:
        channel: its name.
        event: what happened.
        tries: how often it was tried.
        next_us: when it is tried next, microseconds since 1970, UTC.
        fault: what went wrong last.
        given_up_us: when it was given up; None while it is tried.
    """

    channel: str
    event: AlertEvent
    tries: int = 0
    next_us: int = 0
    fault: str = ""
    given_up_us: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Channel and event."""
        return self.channel, self.event.id


@dataclass(frozen=True)
class AlertState:
    """The file ``monitoring/alerts/state.json``.

    Attributes:
        serial: how often it was written.
        alerts: as they stand.
        silences: that are not over.
        outbox: what is still to be delivered, the oldest first.
        unwritten: events that may not be in ``history.jsonl`` yet.
        rounds: environment -> when it was judged last, microseconds since 1970, UTC.
    """

    serial: int = 0
    alerts: tuple[Alert, ...] = ()
    silences: tuple[Silence, ...] = ()
    outbox: tuple[Message, ...] = ()
    unwritten: tuple[AlertEvent, ...] = ()
    rounds: Mapping[str, int] = field(default_factory=dict)

    @property
    def undelivered(self) -> tuple[Undelivered, ...]:
        """What no channel has taken."""
        return tuple(Undelivered(one.channel, one.event, one.tries, one.fault,
                                 one.given_up_us is not None) for one in self.outbox)  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


# What could not be written, by the file that it belongs into.
_held: dict[Path, AlertState] = {}


def read_state(workspace: Workspace) -> AlertState:
    """Return what is kept; nothing where nothing was.

    Raises:
        DataError: the file is damaged.
        StorageError: it cannot be read.
    """
    path = folder_of(workspace) / STATE
    state = _read(path)
    held = _held.get(path.absolute())
    # Another process may have written since.
    return held if held is not None and held.serial > state.serial else state


def change_state(
    workspace: Workspace, edit: Callable[[AlertState], AlertState], *, hold: bool = False
) -> tuple[AlertState, str | None]:
    """Change what is kept, one process at a time, and bring the history up to it.

    Args:
        workspace: whose.
        edit: makes the new state of the old one.
        hold: go on with the new state in this process where the disk does not take it.

    Returns:
        The new state; why it could not be written, None where it was.

    Raises:
        DataError: the file is damaged.
        StorageError: it cannot be locked or, without ``hold``, not written.
    """
    folder = folder_of(workspace)
    path = folder / STATE
    with lock(path):
        before = read_state(workspace)
        after = replace(edit(before), serial=before.serial + 1)
        try:
            _write(path, after)
            if after.unwritten and append_history(folder / HISTORY, after.unwritten):
                after = replace(after, unwritten=(), serial=after.serial + 1)
                _write(path, after)
        except StorageError as error:
            if not hold:
                raise
            _held[path.absolute()] = after
            return after, error.what
        _held.pop(path.absolute(), None)
    return after, None


@contextmanager
def sole_round(workspace: Workspace, *, seconds: float) -> Iterator[None]:
    """Be the only one, of all processes, that judges and delivers.

    Raises:
        StorageError: another one was at it for so many seconds.
    """
    with lock(folder_of(workspace) / "round", timeout=seconds):
        yield


def read_alerts(workspace: Workspace) -> tuple[Alert, ...]:
    """Return alerts as they stood in the last round: firing, pending, resolved of late.

    Raises:
        DataError, StorageError: as :func:`read_state` has them.
    """
    return read_state(workspace).alerts


def _read(path: Path) -> AlertState:
    try:
        content = json.loads(path.read_bytes())
        if content["schema"] > _SCHEMA:
            raise ValueError(f"schema {content['schema']} is newer than this version reads")
        return _state_of(content)
    except FileNotFoundError:
        return AlertState()
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} is damaged: {str(error)[:200]}",
            why="it says which alerts fire, and who is still to be told",
            next_step=f"correct it, or move it away: alerts begin anew, {HISTORY} stays",
        ) from error


def _state_of(content: dict[str, Any]) -> AlertState:
    return AlertState(
        serial=int(content["serial"]),
        alerts=tuple(map(alert_of, content["alerts"])),
        silences=tuple(Silence(**known(Silence, one)) for one in content["silences"]),
        outbox=tuple(
            Message(**{**known(Message, one), "event": event_of(one["event"])})
            for one in content["outbox"]
        ),
        unwritten=tuple(map(event_of, content["unwritten"])),
        rounds=dict(content["rounds"]),
    )


def _write(path: Path, state: AlertState) -> None:
    write_json(path, {"schema": _SCHEMA, **state.to_dict()})


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be read: {error.strerror or error}", next_step="fix permissions there"
    )
