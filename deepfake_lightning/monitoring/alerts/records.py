"""What alerts are: as they stand, what happened to them, and what a round of checks came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Literal

State = Literal["pending", "firing", "resolved"]
Severity = Literal["warning", "critical"]
Kind = Literal["firing", "reminder", "resolved", "test"]


@dataclass(frozen=True)
class Alert:
    """One incident: a rule that is broken for one subject, from its first sign to its end.

    Attributes:
        id: short, of this incident alone.
        rule: name of the rule.
        subject: what it is broken for: ``production/v1.1.0``, ``production``, ``log``, or a disk.
        state: ``pending`` until it has lasted, ``firing``, ``resolved``.
        severity: of the rule.
        since_us: when its first sign was seen, microseconds since 1970, UTC.
        fired_us, resolved_us: when it came to that; None before.
        value, limit: the figure that was seen last, and what it may be, in the measure's unit
            (``policy.MEASURES``); None where there is none.
        n: how many requests, labels or items the figure rests on; None where that says nothing.
        says: one sentence.
        next_step: what to do, a command where there is one.
        environment: whose round judges it; None for what all environments share.
        acknowledged_by, acknowledged_us, note: who has seen it, when, and what they say.
        silenced_until_us: no messages of it are sent until then; None where they are.
        unknown_since_us: since when there are too few data to judge it; None while there are.
        unmeasured_since_us: of a firing one, since when no round has looked at its subject at all,
            while the log told all; None while rounds do.
        broken_since_us: of a pending one, since when it is broken for certain; None while it may
            be chance.
        well_since_us: of a firing one, since when all is well again.
        told_us: when the last message of it was made, None before the first.
        reminders: how many there were.
        reported: whether another part of the program reports it, and says when it is over: no
            round judges it.
    """

    id: str
    rule: str
    subject: str
    state: State
    severity: Severity
    since_us: int
    fired_us: int | None = None
    resolved_us: int | None = None
    value: float | None = None
    limit: float | None = None
    n: int | None = None
    says: str = ""
    next_step: str = ""
    environment: str | None = None
    acknowledged_by: str | None = None
    acknowledged_us: int | None = None
    note: str | None = None
    silenced_until_us: int | None = None
    unknown_since_us: int | None = None
    unmeasured_since_us: int | None = None
    broken_since_us: int | None = None
    well_since_us: int | None = None
    told_us: int | None = None
    reminders: int = 0
    reported: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Rule and subject: of one key one alert at most is not resolved."""
        return self.rule, self.subject

    @property
    def open(self) -> bool:
        """Whether it is pending or firing."""
        return self.state != "resolved"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


def alert_of(content: Mapping[str, Any]) -> Alert:
    """Return the alert that :meth:`Alert.to_dict` gave; fields of newer versions are left out."""
    return Alert(**known(Alert, content))


def alert_id(rule: str, subject: str, since_us: int) -> str:
    """Return the id of an incident: 8 hexadecimal digits that follow from what it is."""
    text = "\0".join((rule, subject, str(since_us)))
    return blake2b(text.encode(), digest_size=4).hexdigest()


@dataclass(frozen=True)
class AlertEvent:
    """Something that happened to an alert, and is told.

    Attributes:
        id: of the event: ``3f9c2a1b-firing``. A message that comes twice has the same one.
        kind: ``firing``, ``reminder``, ``resolved``; ``test`` is of no alert.
        at_us: when, microseconds since 1970, UTC.
        alert: as it was then.
        silenced: whether nothing was sent, for that reason.
    """

    id: str
    kind: Kind
    at_us: int
    alert: Alert
    silenced: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


def event_of(content: Mapping[str, Any]) -> AlertEvent:
    """Return the event that :meth:`AlertEvent.to_dict` gave."""
    return AlertEvent(**{**known(AlertEvent, content), "alert": alert_of(content["alert"])})


@dataclass(frozen=True)
class Silence:
    """A time in which no messages are sent of some alerts; they are shown all the same.

    Attributes:
        what: a rule, a subject, or an environment and all in it.
        made_us, until_us: from when to when, microseconds since 1970, UTC.
        by: who asked for it.
        reason: why.
    """

    what: str
    made_us: int
    until_us: int
    by: str
    reason: str

    def covers(self, alert: Alert, now_us: int) -> bool:
        """Whether messages of an alert are held back now."""
        whose = alert.rule, alert.subject, alert.subject.partition("/")[0]
        return self.what in whose and self.made_us <= now_us < self.until_us


@dataclass(frozen=True)
class Undelivered:
    """A message that a channel has not taken yet, or did not take at all.

    Attributes:
        channel: name of the channel.
        event: what it tells.
        tries: how often it was tried.
        fault: what went wrong last; empty where it was not tried yet.
        given_up: whether it is tried no more.
    """

    channel: str
    event: AlertEvent
    tries: int
    fault: str
    given_up: bool = False


@dataclass(frozen=True)
class AlertRound:
    """What one round of checks came to.

    Attributes:
        alerts: firing first, then pending, then those that were resolved lately.
        events: what happened in this round.
        delivered: ids of events that a channel took, with the channel's name.
        undelivered: messages that are still to be delivered, or were given up.
        fault: why the state could not be kept on disk; None where it was.
    """

    alerts: tuple[Alert, ...]
    events: tuple[AlertEvent, ...] = ()
    delivered: tuple[tuple[str, str], ...] = ()
    undelivered: tuple[Undelivered, ...] = ()
    fault: str | None = None

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Those that fire."""
        return tuple(one for one in self.alerts if one.state == "firing")

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {"schema": 1, **asdict(self)}


def known(kind: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a record's content this version has a field for."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in content.items() if name in names}


def moment(at_us: int) -> str:
    """Return a time as it is told: 2026-01-31 10:42 UTC."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
