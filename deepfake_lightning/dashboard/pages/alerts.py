"""Alerts: what fires, what may come, what was; acknowledge and silence."""

from __future__ import annotations

import re

from dash import html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import (
    Part,
    Tone,
    badge,
    button,
    card,
    command,
    empty,
    table,
)
from deepfake_lightning.dashboard.words import ago, clock, first, long
from deepfake_lightning.monitoring.alerts import Alert, AlertEvent

_STATE_TONES: dict[str, Tone] = {"pending": "warn", "resolved": "good"}


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    now_us = source.clock()
    found = [one for one in source.all_alerts() if one.environment in (None, view.env)]
    open_ones = [one for one in found if one.open]
    resolved = [one for one in found if not one.open]
    parts = [_alert(one, now_us) for one in open_ones] or [_quiet(view)]
    if resolved:
        parts.append(card("Resolved lately", _resolved(resolved), size="wide"))
    events = [one for one in source.alert_history(view)
              if one.alert.environment in (None, view.env)]  # fmt: skip
    return [*parts, _history(source, view, events)]


def _quiet(view: View) -> Component:
    return card(
        "No alert fires",
        html.P("Quality, latency, errors, drift, missing traffic, the log and the disk are looked "
               "at once a minute while this dashboard or `monitor` runs; from cron:",
               className="soft"),
        command(f"deepfake-lightning monitor --check true --env {view.env}"),
        size="wide", tone="good",
    )  # fmt: skip


def _alert(one: Alert, now_us: int) -> Component:
    tone: Tone = "warn" if one.state == "pending" or one.severity == "warning" else "bad"
    state = badge(one.state, _STATE_TONES.get(one.state, tone))
    about: list[Part] = [state, badge(one.severity, tone), html.Span(one.subject)]
    parts: list[Part] = [html.P(about, className="row"), *_says(one.says)]
    facts = [f"since {clock(one.since_us)} ({long((now_us - one.since_us) / 1e6)})"]
    if one.fired_us is not None:
        facts.append(f"fires since {clock(one.fired_us)}")
    if one.n is not None:
        facts.append(f"rests on {one.n:,}")
    if one.unknown_since_us is not None:
        facts.append(f"too few data to judge since {clock(one.unknown_since_us)}")
    parts.append(html.P("; ".join(facts), className="soft"))
    if one.next_step:
        parts.append(_next(one.next_step))
    if one.acknowledged_by:
        note = f": {one.note}" if one.note else ""
        seen = f"Acknowledged by {one.acknowledged_by}, {ago(one.acknowledged_us, now_us)}{note}"
        parts.append(html.P(seen, className="soft"))
    if one.silenced_until_us is not None and one.silenced_until_us > now_us:
        parts.append(html.P(f"Silenced until {clock(one.silenced_until_us)}", className="soft"))
    if one.state == "firing":
        parts.append(_buttons(one))
    return card(one.rule.replace("_", " "), *parts, size="wide", tone=tone)


def _says(text: str) -> list[Part]:
    head, rest = first(text)
    if not rest:
        return [html.P(head)]
    more = html.Ul([html.Li(each) for each in rest], className="reasons")
    return [html.P(head), html.Details([html.Summary(f"and {len(rest)} more"), more])]


def _next(text: str) -> Component:
    """Return what to do; commands can be copied."""
    commands = [each.strip() for each in re.findall(r"deepfake-lightning [^;]+", text)]
    said = "Next:" if commands else f"Next: {text}"
    return html.Div([html.P(said), *(command(each) for each in commands)], className="next")


def _buttons(one: Alert) -> Component:
    parts: list[Part] = []
    if not one.acknowledged_by:
        parts.append(button("Acknowledge", "acknowledge", one.id, kind="primary"))
    quiet = [button(f"{hours} h", "silence", one.rule, str(hours)) for hours in (1, 8, 24)]
    parts.append(html.Span([html.Span(f"Silence {one.rule}: ", className="soft"), *quiet],
                           className="row"))  # fmt: skip
    return html.Div(parts, className="row acts")


def _resolved(resolved: list[Alert]) -> Component:
    rows = [
        [one.rule.replace("_", " "), one.subject, clock(one.fired_us or one.since_us),
         clock(one.resolved_us),
         long(((one.resolved_us or 0) - (one.fired_us or one.since_us)) / 1e6), first(one.says)[0]]
        for one in resolved
    ]  # fmt: skip
    heads = ["rule", "of", "from", "to", "long", "what was said last"]
    return table(heads, rows, caption="alerts that were resolved lately")


def _history(source: Source, view: View, events: list[AlertEvent]) -> Component:
    period = source.period(view)
    if not events:
        return card("History", empty(f"Nothing happened: {period.says}."), size="wide")
    tones: dict[str, Tone] = {"firing": "bad", "reminder": "warn", "resolved": "good"}
    rows = [
        [clock(one.at_us), badge(one.kind, tones.get(one.kind, "plain")),
         one.alert.rule.replace("_", " "), one.alert.subject,
         first(one.alert.says)[0] + (" (silenced)" if one.silenced else "")]
        for one in sorted(events, key=lambda one: -one.at_us)[:100]
    ]  # fmt: skip
    heads = ["when", "what", "rule", "of", "said"]
    return card("History", table(heads, rows, caption="what happened to alerts"),
                note=f"{period.says.capitalize()}.", size="wide")  # fmt: skip
