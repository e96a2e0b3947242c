"""How sure the versions are, beside what they said of the data that they were measured on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from deepfake_lightning.dashboard.charts.drawing import (
    COLOURS,
    REFERENCE,
    SOFT,
    blank,
    colours_of,
    dash_of,
)
from deepfake_lightning.dashboard.deployments import ScoreReference
from deepfake_lightning.dashboard.words import version_name
from deepfake_lightning.monitoring.drift import FeatureDrift
from deepfake_lightning.monitoring.log.totals import SCORE_EDGES

_MIDDLES = ((SCORE_EDGES[:-1] + SCORE_EDGES[1:]) / 2).tolist()
_PROBABILITIES = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)


def distribution(
    by_version: Mapping[str, Sequence[int]],
    reference: ScoreReference | None,
    *,
    among: Iterable[str] = (),
) -> go.Figure:
    """Return the share of items by score; the axis is log-odds, and says probabilities.

    Args:
        by_version: items between two of ``totals.SCORE_EDGES``.
        reference: what to hold them against, and where the verdicts begin.
        among: all versions of the page, each with its own colour.
    """
    figure = blank("calibrated probability of fake", "share of items, %", height=320, rows=2)
    if reference is not None:
        figure.add_bar(
            x=_MIDDLES, y=[100 * one for one in reference.shares], width=0.5,
            name=f"when it was measured ({reference.split} split)",
            marker={"color": REFERENCE, "opacity": 0.45, "line": {"width": 0}},
            hovertemplate="%{y:.1f} %",
        )  # fmt: skip
        for at in {reference.indicated_from, reference.clear_below} - {None}:
            figure.add_vline(x=at, line={"color": SOFT, "width": 1.2, "dash": "dash"})
    colours = colours_of([*by_version, *among])
    for place, (name, counts) in enumerate(by_version.items()):
        total = sum(counts)
        figure.add_scatter(
            x=_MIDDLES, y=[100 * one / total for one in counts] if total else [],
            name=version_name(name), mode="lines", hovertemplate="%{y:.1f} %",
            line={"color": colours[name], "width": 2.2, "shape": "hvh",
                  "dash": dash_of(name, place)},
        )  # fmt: skip
    figure.update_xaxes(
        tickvals=[float(np.log(p / (1 - p))) for p in _PROBABILITIES],
        ticktext=[f"{p:g}" for p in _PROBABILITIES], range=[-10, 10],
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    return figure


def feature(found: FeatureDrift, unit: str) -> go.Figure:
    """Return a feature's distribution in a window beside that of the reference.

    Args:
        found: with both, on the same edges.
        unit: what the feature is in, title of its axis.
    """
    figure = blank(unit, "share of items, %", height=220)
    if found.edges is None or found.reference is None or found.current is None:
        return figure
    edges = np.asarray(found.edges)
    middles, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    figure.add_bar(
        x=middles.tolist(), width=widths.tolist(), y=[100 * one for one in found.reference],
        name="reference", marker={"color": REFERENCE, "opacity": 0.5, "line": {"width": 0}},
        hovertemplate="%{y:.1f} %",
    )  # fmt: skip
    figure.add_scatter(
        x=middles.tolist(), y=[100 * one for one in found.current], name="this window",
        mode="lines", line={"color": COLOURS[1], "width": 2.2, "shape": "hvh"},
        hovertemplate="%{y:.1f} %",
    )  # fmt: skip
    figure.update_xaxes(range=[float(edges[0]), float(edges[-1])])
    figure.update_yaxes(rangemode="tozero")
    return figure
