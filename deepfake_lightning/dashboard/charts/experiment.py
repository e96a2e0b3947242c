"""The difference that an A/B test has seen, label by label."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from deepfake_lightning.dashboard.charts.drawing import COLOURS, SOFT, blank
from deepfake_lightning.deployment.experiments.decision import Point


def difference(path: Sequence[Point], margin: float, *, percent: bool) -> go.Figure:
    """Return the difference with the band that holds at all looks.

    Args:
        path: the looks.
        margin: differences within it do not matter.
        percent: whether they are shares, drawn as points of percent.
    """
    factor = 100.0 if percent else 1.0
    unit = "points of percent" if percent else "units of the metric"
    figure = blank("labels", f"challenger less control,<br>{unit}", legend=False, height=280)
    labels = [one.labels for one in path]
    for values, fill in (
        ([one.high for one in path], None),
        ([one.low for one in path], "tonexty"),
    ):
        figure.add_scatter(
            x=labels, y=[factor * one for one in values], mode="lines", fill=fill,
            line={"width": 0, "color": COLOURS[0]}, fillcolor="rgba(47,126,216,.18)",
            hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        x=labels, y=[factor * one.difference for one in path], mode="lines",
        line={"color": COLOURS[0], "width": 2.2}, hovertemplate="%{y:.2f}<extra></extra>",
    )  # fmt: skip
    for at in {0.0, margin, -margin}:
        style = {"color": SOFT, "width": 1.2, "dash": "solid" if at == 0 else "dash"}
        figure.add_hline(y=factor * at, line=style)
    later = path[len(path) // 2 :]
    reach = factor * max(*(abs(v) for one in later for v in (one.low, one.high)), margin, 0.001)
    figure.update_yaxes(range=[-1.1 * reach, 1.1 * reach])
    return figure
