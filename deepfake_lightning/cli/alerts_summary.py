"""Alerts on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepfake_lightning.monitoring.alerts import Alert, AlertEvent
    from deepfake_lightning.monitoring.alerts.state import AlertState

_LATE_US = 5 * 60 * 1_000_000


def state_lines(state: AlertState, now_us: int) -> list[str]:
    """Return what there is to know of alerts, in lines."""
    from deepfake_lightning.monitoring.alerts.records import moment

    lines = [line for alert in state.alerts for line in alert_lines(alert, now_us)]
    firing = sum(one.state == "firing" for one in state.alerts)
    pending = sum(one.state == "pending" for one in state.alerts)
    head = f"{firing} firing, {pending} pending"
    lines = [head, *lines] if lines else ["no alerts in the last week"]
    for one in state.silences:
        if one.until_us > now_us:
            lines.append(
                f"silent until {moment(one.until_us)}: {one.what} ({one.by}: {one.reason})"
            )
    for waiting in state.undelivered:
        if waiting.fault:
            how = "given up" if waiting.given_up else "is tried again"
            lines.append(f"not delivered by {waiting.channel}: {waiting.event.id}: "
                         f"{waiting.fault} ({waiting.tries} tries, {how})")  # fmt: skip
    return [*lines, *_rounds(state, now_us), *_next(state)]


def alert_lines(alert: Alert, now_us: int) -> Iterable[str]:
    """Return an alert in two lines or three."""
    from deepfake_lightning.monitoring.alerts.records import moment

    since = alert.resolved_us or alert.fired_us or alert.since_us
    yield (f"{alert.id}  {alert.state:<8}  {alert.severity:<8}  {alert.rule}  {alert.subject}  "
           f"{_ago(now_us - since)}")  # fmt: skip
    yield f"  {alert.says}"
    if alert.open and alert.acknowledged_by:
        yield f"  {alert.acknowledged_by} has it{': ' + alert.note if alert.note else ''}"
    if alert.open and alert.silenced_until_us:
        yield f"  silent until {moment(alert.silenced_until_us)}"
    if alert.state == "firing" and alert.next_step:
        yield f"  next: {alert.next_step}"


def events_lines(events: Sequence[AlertEvent]) -> list[str]:
    """Return what happened, an event a line and what it says below."""
    from deepfake_lightning.monitoring.alerts.records import moment

    lines = []
    for one in events:
        silent = " (silenced)" if one.silenced else ""
        lines.append(f"{moment(one.at_us)}  {one.kind}{silent}  {one.alert.rule}  "
                     f"{one.alert.subject}  {one.alert.id}")  # fmt: skip
        lines.append(f"  {one.alert.says}")
    return lines or ["nothing happened in that time"]


def _rounds(state: AlertState, now_us: int) -> list[str]:
    if not state.rounds:
        return ["nothing was judged yet"]
    ago = {name: now_us - at for name, at in sorted(state.rounds.items())}
    said = [f"judged: {', '.join(f'{name} {_ago(us)}' for name, us in ago.items())}"]
    if min(ago.values()) > _LATE_US:
        said.append("nobody looks at the moment")
    return said


def _next(state: AlertState) -> list[str]:
    seen = [one for one in state.alerts if one.state == "firing" and not one.acknowledged_by]
    if seen:
        return [f"next: deepfake-lightning alerts acknowledge {seen[0].id}"]
    return ["next: deepfake-lightning monitor --check true"]


def _ago(us: int) -> str:
    minutes = max(0, us // 60_000_000)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
