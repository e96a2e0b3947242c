"""From figures to alerts: a pure function of rules, figures, what was before, and the time.

A limit that is broken makes an alert pending; one that is broken for the rule's ``for_minutes``
fires; a firing one that is well for its ``clear_minutes`` is resolved. What cannot be told changes
nothing. A version that no longer serves ends its alerts, and so does a rule that was taken away, or
a subject that no round has looked at for the rule's window, and for a day at least.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from deepfake_lightning.monitoring.alerts.policy import AlertRule
from deepfake_lightning.monitoring.alerts.records import (
    Alert,
    AlertEvent,
    Kind,
    Silence,
    alert_id,
    moment,
)
from deepfake_lightning.monitoring.alerts.situation import MINUTE_US, Measurement, Situation

KEPT_US = 7 * 24 * 60 * MINUTE_US
_UNMEASURED_MINUTES = 24 * 60  # after which an alert ends, or after the rule's window
_ORDER = {"firing": 0, "pending": 1, "resolved": 2}


def judge(
    rules: Sequence[AlertRule],
    situation: Situation,
    alerts: Sequence[Alert],
    silences: Sequence[Silence],
    now_us: int,
) -> tuple[tuple[Alert, ...], tuple[AlertEvent, ...]]:
    """Return the alerts as they stand now, and what happened to them.

    Args:
        rules: of the policy.
        situation: what was found.
        alerts: as they stood before.
        silences: that were asked for.
        now_us: the time, microseconds since 1970, UTC.

    Returns:
        Alerts, firing first, then pending, then resolved ones of the last week, or of the longest
        cooldown. Events, each of another alert.
    """
    by_name = {rule.name: rule for rule in rules if _is_for(rule, situation.environment)}
    found = {one.key: one for one in situation.measurements if one.rule in by_name}
    elsewhere = {rule.name for rule in rules} - by_name.keys()
    mine = {one.key: one for one in alerts if one.open and _is_judged(one, situation, elsewhere)}
    ended = _last_end(alerts)
    kept = [one for one in alerts if one.key not in mine or not one.open]
    after: list[Alert] = []
    events: list[AlertEvent] = []
    for key in {**mine, **found}:
        rule, before = by_name.get(key[0]), mine.get(key)
        cause = None if before is None else _why_over(before, rule, situation)
        if before is not None and cause is not None:
            now = resolved(before, now_us, cause) if before.state == "firing" else None
        else:
            assert rule is not None  # else there would be a cause
            now = _step(rule, before, found.get(key), ended.get(key), now_us)
            if now is not None and now.state == "firing" and key not in found:
                now = _unmeasured(now, rule, now_us, whole=situation.whole)
        if now is None:
            continue
        now = replace(now, silenced_until_us=silenced_until(now, silences, now_us))
        kind = _event(rule, before, now, now_us)
        if kind is not None:
            now, event = told(now, kind, now_us)
            events.append(event)
        after.append(now)
    return in_order([*after, *kept], now_us, kept_us(rules)), tuple(events)


def kept_us(rules: Sequence[AlertRule]) -> int:
    """Return for how long resolved alerts are kept, microseconds: until no cool-down needs them."""
    return max(KEPT_US, *(round(rule.cooldown_minutes * MINUTE_US) for rule in rules), 0)


def _is_for(rule: AlertRule, environment: str) -> bool:
    return rule.environments is None or environment in rule.environments


def _is_judged(alert: Alert, situation: Situation, elsewhere: Collection[str]) -> bool:
    """Whether an alert is this round's: what is shared is so where its rule is for the round."""
    if alert.reported:
        return False
    shared = alert.environment is None and alert.rule not in elsewhere
    return shared or alert.environment == situation.environment


def _last_end(alerts: Sequence[Alert]) -> Mapping[tuple[str, str], int]:
    ends: dict[tuple[str, str], int] = {}
    for one in alerts:
        if one.resolved_us is not None:
            ends[one.key] = max(one.resolved_us, ends.get(one.key, 0))
    return ends


def _why_over(alert: Alert, rule: AlertRule | None, situation: Situation) -> str | None:
    """Return why nothing is to be judged any more, None where something is."""
    if rule is None:
        return f"the policy no longer has the rule {alert.rule} here"
    version = alert.subject.partition("/")[2]
    known = situation.serving is not None and alert.environment is not None
    if known and version and version not in (situation.serving or ()):
        return f"{version} no longer serves in {alert.environment}"
    return None


def _step(
    rule: AlertRule,
    before: Alert | None,
    found: Measurement | None,
    ended_us: int | None,
    now_us: int,
) -> Alert | None:
    """Return an alert as it stands after a measurement, None where there is none."""
    if found is None or found.finding == "unknown":
        return before and _unknown(before, rule, found, now_us)
    if before is None or before.state == "pending":
        if found.finding in ("well", "near"):
            return None
        alert = before or _begun(rule, found, now_us)
        alert = _seen(alert, rule, found)
        if found.finding == "unclear":
            return replace(alert, broken_since_us=None)
        return _fired(replace(alert, broken_since_us=_first(alert.broken_since_us, now_us)),
                      rule, ended_us, now_us)  # fmt: skip
    alert = _seen(before, rule, found)
    if found.finding != "well":
        return replace(alert, well_since_us=None)
    alert = replace(alert, well_since_us=_first(alert.well_since_us, now_us))
    if _lasted(alert.well_since_us, rule.clear_minutes, now_us):
        return resolved(alert, now_us, found.says)
    return alert


def _begun(rule: AlertRule, found: Measurement, now_us: int) -> Alert:
    return Alert(
        id=alert_id(rule.name, found.subject, now_us), rule=rule.name, subject=found.subject,
        state="pending", severity=rule.severity, since_us=now_us, environment=found.environment,
    )  # fmt: skip


def _seen(alert: Alert, rule: AlertRule, found: Measurement) -> Alert:
    return replace(
        alert, severity=rule.severity, value=found.value, limit=found.limit, n=found.n,
        says=found.says, next_step=found.next_step, unknown_since_us=None,
        unmeasured_since_us=None,
    )  # fmt: skip


def _fired(alert: Alert, rule: AlertRule, ended_us: int | None, now_us: int) -> Alert:
    """Return a pending alert that fires where it has lasted, and has not only just ended."""
    # An end that lies in the future was noted by a clock that was wrong.
    cools = ended_us is not None and ended_us <= now_us
    if cools and not _lasted(ended_us, rule.cooldown_minutes, now_us):
        return alert
    if not _lasted(alert.broken_since_us, rule.for_minutes, now_us):
        return alert
    return replace(alert, state="firing", fired_us=now_us, broken_since_us=None)


def _unknown(alert: Alert, rule: AlertRule, found: Measurement | None, now_us: int) -> Alert | None:
    since = _first(alert.unknown_since_us, now_us)
    if alert.state == "pending" and _lasted(since, rule.window_minutes, now_us):
        return None  # nobody was told, and nothing of what it rested on is left
    says = alert.says
    if alert.unknown_since_us is None:
        why = found.says if found is not None and found.says else "nothing can be measured"
        says = f"{says}; no data since {moment(now_us)}: {why}"
    return replace(alert, unknown_since_us=since, unmeasured_since_us=None if found is not None
                   else alert.unmeasured_since_us, says=says)  # fmt: skip


def _unmeasured(alert: Alert, rule: AlertRule, now_us: int, *, whole: bool) -> Alert:
    """Return a firing alert of which nothing was found: where that lasts it is over."""
    if not whole:  # nobody can know
        return replace(alert, unmeasured_since_us=None)
    since = _first(alert.unmeasured_since_us, now_us)
    if _lasted(since, max(rule.window_minutes, _UNMEASURED_MINUTES), now_us):
        return resolved(alert, now_us, f"no longer measured since {moment(since)}")
    return replace(alert, unmeasured_since_us=since)


def resolved(alert: Alert, now_us: int, says: str) -> Alert:
    """Return an alert that is over, and why."""
    return replace(alert, state="resolved", resolved_us=now_us, says=says, unknown_since_us=None,
                   unmeasured_since_us=None, next_step="")  # fmt: skip


def silenced_until(alert: Alert, silences: Sequence[Silence], now_us: int) -> int | None:
    """Return until when no messages of an alert are sent; None where they are."""
    ends = [one.until_us for one in silences if one.covers(alert, now_us)]
    return max(ends, default=None)


def _event(rule: AlertRule | None, before: Alert | None, now: Alert, now_us: int) -> Kind | None:
    if now.state == "resolved":
        return "resolved"
    if now.state != "firing":
        return None
    if before is None or before.state == "pending":
        return "firing"
    if now.silenced_until_us is not None or now.acknowledged_us is not None or rule is None:
        return None
    if now.told_us is None:
        return "reminder"  # it began to fire while it was silenced
    minutes = rule.remind_minutes
    return "reminder" if minutes and _lasted(now.told_us, minutes, now_us) else None


def told(alert: Alert, kind: Kind, now_us: int) -> tuple[Alert, AlertEvent]:
    """Return an alert with its event. The end of what was told is told, silenced or not."""
    silenced = alert.silenced_until_us is not None
    if kind == "resolved":
        silenced = alert.told_us is None
    elif not silenced:
        alert = replace(alert, told_us=now_us)
    name = f"{alert.id}-{kind}"
    if kind == "reminder":
        alert = replace(alert, reminders=alert.reminders + 1)
        name += f"-{alert.reminders}"
    return alert, AlertEvent(name, kind, now_us, alert, silenced)


def _first(since_us: int | None, now_us: int) -> int:
    return now_us if since_us is None else since_us


def _lasted(since_us: int | None, minutes: float, now_us: int) -> bool:
    return since_us is not None and now_us - since_us >= minutes * MINUTE_US


def in_order(alerts: Sequence[Alert], now_us: int, kept_us: int = KEPT_US) -> tuple[Alert, ...]:
    """Return alerts as they are shown, without those that were resolved too long ago."""
    shown = [one for one in alerts
             if one.resolved_us is None or now_us - one.resolved_us < kept_us]  # fmt: skip
    return tuple(sorted(shown, key=lambda one: (
        _ORDER[one.state], one.severity != "critical" and one.open,
        -(one.resolved_us or one.fired_us or one.since_us), one.key)))  # fmt: skip
