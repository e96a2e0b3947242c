"""What serves, with which share: a bar."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.deployments import Mark
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import Part, card, empty
from deepfake_lightning.dashboard.words import clock, percent
from deepfake_lightning.schemas.environment import EnvironmentRecord


def serving(view: View, record: EnvironmentRecord, done: list[Mark]) -> Component:
    """Return which versions answer, and which score in the shadow.

    Args:
        view: of which environment.
        record: what it says.
        done: its changes, the latest last.
    """
    if not record.versions:
        return card(f"Nothing serves in {view.env}", empty(
            "No version is deployed here.", "A version that passes the gate is deployed by",
            f"deepfake-lightning deploy VERSION --env {view.env}"), size="wide")  # fmt: skip
    names = sorted(one.version for one in record.serving)  # each the colour that it has in charts
    bars = [
        html.Div(
            [html.Strong(one.version), html.Span(percent(one.share, 0))],
            className=f"share share-{names.index(one.version) % 4}",
            style={"flexGrow": max(one.share, 0.08)},
        )
        for one in record.serving
    ]
    parts: list[Part] = [html.Div(bars, className="shares")]
    if record.shadow:
        parts.append(html.P(f"In the shadow: {', '.join(record.shadow)}"))
    note = f"Since {clock(done[-1].at_us)}: {done[-1].event} by {done[-1].by}." if done else ""
    return card(f"{view.env} serves", *parts, note=note, size="wide")
