"""Drift over time."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from deepfake_lightning.dashboard.charts.drawing import SOFT, blank, colours_of, dash_of
from deepfake_lightning.dashboard.words import when
from deepfake_lightning.monitoring.drift import DriftRecord

LIMIT = 0.5  # over it exactly where a feature has moved


def over_time(records: Sequence[DriftRecord]) -> go.Figure:
    """Return the drift score of each window, by version.

    Each point stands at its window's end. Windows that moved are larger; confirmed ones filled.
    """
    figure = blank("end of the window, UTC", "drift score, 0 to 1", height=280)
    figure.add_hrect(y0=LIMIT, y1=1.02, fillcolor="rgba(207,74,58,.08)", line_width=0)
    figure.add_hline(y=LIMIT, line={"color": SOFT, "width": 1.2, "dash": "dash"})
    names = sorted({one.version for one in records})
    colours = colours_of(names)
    for place, name in enumerate(names):
        of_it = [one for one in records if one.version == name]
        figure.add_scatter(
            x=[when(one.end_us) for one in of_it], y=[one.score for one in of_it], name=name,
            mode="lines+markers", connectgaps=False,
            line={"color": colours[name], "width": 2, "dash": dash_of(name, place)},
            marker={"size": [11 if one.moved else 6 for one in of_it],
                    "symbol": ["diamond" if one.confirmed else "circle" for one in of_it]},
            text=[_said(one) for one in of_it], hovertemplate="%{y:.2f}, %{text}",
        )  # fmt: skip
    figure.update_yaxes(range=[0, 1.02])
    return figure


def _said(record: DriftRecord) -> str:
    if record.score is None:
        return "not judged"
    moved = ", ".join(record.moved_features) or "nothing moved"
    return f"{moved}{' (confirmed)' if record.confirmed else ''}, {record.items:,} items"
