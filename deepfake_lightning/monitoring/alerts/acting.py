"""What people do about alerts: say that they have seen one, and ask for quiet."""

from __future__ import annotations

import time
from dataclasses import replace
from difflib import get_close_matches

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.alerts.policy_files import policy_of
from deepfake_lightning.monitoring.alerts.records import Alert, Silence
from deepfake_lightning.monitoring.alerts.state import AlertState, change_state, read_state
from deepfake_lightning.schemas.environment import ENVIRONMENTS
from deepfake_lightning.storage import Workspace

_LIST = "deepfake-lightning alerts list"


def acknowledge(
    workspace: Workspace, alert_id: str, *, by: str, note: str | None = None, now_us: int
) -> Alert:
    """Say that somebody takes care of an alert: it is not reminded of any more; its end is told.

    Who acknowledges it again takes it over.

    Args:
        workspace: whose.
        alert_id: of one that fires or is pending; its first digits will do, if no other begins so.
        by: who.
        note: what they say.
        now_us: the time, microseconds since 1970, UTC.

    Returns:
        The alert.

    Raises:
        UsageError: there is no such alert, or it is over, or nobody's name is given.
        DataError, StorageError: the state cannot be changed.
    """
    name = _said(by, "by", "who acknowledges it")
    done: list[Alert] = []

    def edit(state: AlertState) -> AlertState:
        alert = _found(state, alert_id)
        done[:] = [replace(alert, acknowledged_by=name, acknowledged_us=now_us, note=note)]
        alerts = tuple(done[0] if one.id == alert.id else one for one in state.alerts)
        return replace(state, alerts=alerts)

    change_state(workspace, edit)
    return done[0]


def silence(
    workspace: Workspace,
    rule_or_subject: str,
    *,
    until_us: int,
    by: str,
    reason: str,
    now_us: int | None = None,
) -> Silence:
    """Send no messages of some alerts until a time; they are shown, and noted, all the same.

    Of an alert that still fires when the time is over a message is sent then. Of one that was told
    before, the end is told. The same again replaces it; a time that is over ends it.

    Args:
        workspace: whose.
        rule_or_subject: a rule, a subject (``production/v1.1.0``), or an environment.
        until_us: until when, microseconds since 1970, UTC.
        by: who asks for it.
        reason: why.
        now_us: the time; None takes the clock's.

    Returns:
        What was noted.

    Raises:
        UsageError: nothing is called so, or name or reason are missing.
        DataError, StorageError: the state cannot be changed.
    """
    now = time.time_ns() // 1000 if now_us is None else now_us
    _check_name(workspace, rule_or_subject)
    made = Silence(rule_or_subject, now, until_us, _said(by, "by", "who asks for it"),
                   _said(reason, "reason", "why"))  # fmt: skip

    def edit(state: AlertState) -> AlertState:
        others = [one for one in state.silences if one.what != made.what and one.until_us > now]
        silences = (*others, made) if until_us > now else tuple(others)
        ends = {one.id: _until(one, silences, now) for one in state.alerts}
        alerts = tuple(replace(one, silenced_until_us=ends[one.id]) for one in state.alerts)
        return replace(state, silences=tuple(silences), alerts=alerts)

    change_state(workspace, edit)
    return made


def _until(alert: Alert, silences: tuple[Silence, ...], now_us: int) -> int | None:
    return max((one.until_us for one in silences if one.covers(alert, now_us)), default=None)


def _said(text: str, flag: str, what: str) -> str:
    said = " ".join(text.split())
    if not said:
        raise UsageError(f"--{flag} is empty", why=f"it says {what}", next_step=f"pass --{flag}")
    return said


def _found(state: AlertState, alert_id: str) -> Alert:
    wanted = alert_id.strip().lower()
    found = [one for one in state.alerts if wanted and one.id.startswith(wanted)]
    alive = [one for one in found if one.open]
    if len(alive) == 1:
        return alive[0]
    if found and not alive:
        raise UsageError(f"the alert {found[0].id} is over", next_step=_LIST)
    what = f"there is no alert {alert_id[:40]!r}"
    if alive:
        what = f"several alerts begin with {wanted}"
    there = ", ".join(one.id for one in state.alerts if one.open)
    raise UsageError(what, why=f"open are: {there or 'none'}", next_step=_LIST)


def _check_name(workspace: Workspace, what: str) -> None:
    rules = [rule.name for rule in policy_of(workspace).rules]
    subjects = {one.subject for one in read_state(workspace).alerts}
    files = (path.stem for path in workspace.environments.glob("*.json"))
    environments = {*ENVIRONMENTS, *files}
    if what in {*rules, *subjects} or what.partition("/")[0] in environments:
        return
    names = [*rules, *sorted({*subjects, *environments})]
    near = get_close_matches(what, names, n=1)
    raise UsageError(
        f"no rule, subject or environment is called {what[:60]!r}",
        next_step=f"is {near[0]} meant?" if near else f"there are {', '.join(names)}",
    )
