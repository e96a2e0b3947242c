"""Quality with its intervals, on audited labels and when a version was measured."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from deepfake_lightning.dashboard.charts.drawing import REFERENCE, blank, colours_of
from deepfake_lightning.monitoring.windows import AuditedQuality
from deepfake_lightning.schemas.measured import MeasuredValue

METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "recall": "recall",
    "fpr": "false alarms",
    "precision": "precision",
    "f1": "F1",
    "accuracy": "accuracy",
}


def intervals(
    found: Mapping[str, AuditedQuality], own: Mapping[str, Mapping[str, MeasuredValue]]
) -> go.Figure:
    """Return each metric of each version with its 95 % interval.

    Args:
        found: by version, on audited labels.
        own: what the version was measured to be before it served, drawn in grey.
    """
    figure = blank("value, 0 to 1 (95 % interval)", height=110 + 56 * len(METRICS), rows=2)
    rows = list(METRICS)[::-1]
    colours = colours_of(found)
    series: list[tuple[str, str, str, dict[str, tuple[float, float, float]]]] = []
    for name, quality in found.items():
        series.append((name, colours[name], "circle", _audited(quality)))
        before = _own(own.get(name, {}))
        if before:
            series.append((f"{name} when it was measured", REFERENCE, "diamond", before))
    step = 0.7 / max(1, len(series))
    for place, (name, colour, symbol, values) in enumerate(series):
        offset = ((len(series) - 1) / 2 - place) * step
        there = [metric for metric in rows if metric in values]
        figure.add_scatter(
            x=[values[one][0] for one in there],
            y=[rows.index(one) + offset for one in there],
            error_x={"type": "data", "symmetric": False, "thickness": 2, "width": 5,
                     "array": [values[one][2] - values[one][0] for one in there],
                     "arrayminus": [values[one][0] - values[one][1] for one in there]},
            mode="markers", name=name,
            marker={"size": 9, "color": colour, "symbol": symbol},
            text=[METRICS[one] for one in there], hovertemplate="%{text} %{x:.3f}",
        )  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=[METRICS[one] for one in rows],
                        range=[-0.6, len(rows) - 0.4])  # fmt: skip
    lows = [low for *_, values in series for _, low, _ in values.values()]
    figure.update_xaxes(range=[min([0.0, *lows]) - 0.02, 1.02])
    return figure.update_layout(hovermode="closest")


def _audited(quality: AuditedQuality) -> dict[str, tuple[float, float, float]]:
    found = {name: getattr(quality, name) for name in METRICS}
    return {name: (one.value, one.low, one.high) for name, one in found.items() if one is not None}


def _own(found: Mapping[str, MeasuredValue]) -> dict[str, tuple[float, float, float]]:
    return {
        name: (one.value, one.value if one.low is None else one.low,
               one.value if one.high is None else one.high)
        for name, one in found.items() if name in METRICS and one.value is not None
    }  # fmt: skip
