"""An empty chart, the colours of versions and verdicts, and changes marked on the axis of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from deepfake_lightning.dashboard.deployments import Mark
from deepfake_lightning.dashboard.words import when

# Colours that stand out from a light and from a dark ground (3:1 or more), and from each other for
# those who see few colours (Okabe and Ito 2008, darkened or lightened for that).
COLOURS = ("#2f7ed8", "#d9730d", "#1a9e77", "#b065c8", "#8f8a1a", "#d14a78", "#6f7f8f")
SOFT = "#7d8894"
REFERENCE = "#8a94a0"
VERDICT_COLOURS = {
    "manipulation_indicated": "#cf4a3a",
    "inconclusive": "#c98a12",
    "no_indication": "#2f86b8",
    "not_assessable": "#7d8894",
}
_DASHES = ("solid", "dash", "dot", "dashdot")


def blank(
    x: str = "", y: str = "", *, height: int = 260, legend: bool = True, rows: int = 1
) -> go.Figure:
    """Return a chart without anything on it.

    Args:
        x: title of that axis, with its unit.
        y: likewise.
        height: pixels.
        legend: whether it has one, above.
        rows: of its legend on a narrow screen; room is left for them.
    """
    axis = {"showline": False, "zeroline": False, "automargin": True, "ticks": "",
            "fixedrange": True, "gridcolor": "rgba(128,140,152,.22)"}  # fmt: skip
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 8, "r": 12, "t": 12 + 22 * rows * legend, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "system-ui, sans-serif", "size": 12, "color": SOFT},
            "showlegend": legend,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom",
                       "itemclick": "toggle", "itemdoubleclick": "toggleothers",
                       "traceorder": "normal"},
            "hovermode": "x unified",
            "dragmode": False,
            "xaxis": {**axis, "title": {"text": x, "standoff": 8}},
            "yaxis": {**axis, "title": {"text": y, "standoff": 8}},
            "uirevision": "kept",  # what is switched off in a legend stays so when it is drawn anew
        }
    )  # fmt: skip


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each version: the same whichever of the charts it is on."""
    order = sorted({name.removesuffix(" shadow") for name in names})
    by_version = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(order)}
    return {name: by_version[name.removesuffix(" shadow")] for name in names}


def dash_of(name: str, place: int) -> str:
    """Return how a line is drawn: versions differ in more than colour."""
    return "dot" if name.endswith(" shadow") else _DASHES[place % len(_DASHES)]


def span(figure: go.Figure, start_us: int, end_us: int) -> go.Figure:
    """Let the axis of time show all of a period."""
    figure.update_xaxes(range=[when(start_us), when(end_us)], type="date", tickangle=0, nticks=6)
    return figure


def mark(figure: go.Figure, marks: Sequence[Mark]) -> go.Figure:
    """Draw changes of what serves as lines across the chart; what they are is told on pointing."""
    for one in marks:
        figure.add_vline(x=when(one.at_us), line={"color": SOFT, "width": 1.2, "dash": "dash"})
    if marks:
        figure.add_scatter(
            x=[when(one.at_us) for one in marks], y=[1] * len(marks), yaxis="y2", mode="markers",
            marker={"symbol": "triangle-down", "size": 11, "color": SOFT}, name="changes",
            showlegend=False,
            hovertemplate="%{text}<extra></extra>",
            text=[f"{one.event} by {one.by}: {one.says}" for one in marks],
        )  # fmt: skip
        figure.update_layout(
            yaxis2={"overlaying": "y", "range": [0, 1.04], "visible": False, "fixedrange": True}
        )
    return figure
