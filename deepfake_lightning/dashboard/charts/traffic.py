"""What came in, step by step: latency, requests, errors, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from deepfake_lightning.dashboard.charts.drawing import (
    COLOURS,
    VERDICT_COLOURS,
    blank,
    colours_of,
    dash_of,
)
from deepfake_lightning.dashboard.words import VERDICTS, version_name, when
from deepfake_lightning.monitoring.log.totals import STAGES
from deepfake_lightning.monitoring.windows import Figures, Series

_TIME = "time, UTC"
Reading = Callable[[Figures], float | None]


def over_time(
    series: Series, y: str, reading: Reading, *, unit: str = "", height: int = 260
) -> go.Figure:
    """Return a line for each version; it has a hole where nothing came.

    Args:
        series: figures of the steps.
        y: title of the axis, with its unit.
        reading: what is read off the figures of a step.
        unit: after a value that is pointed at.
        height: pixels.
    """
    figure = blank(_TIME, y, height=height)
    colours = colours_of(series.figures)
    for place, (name, found) in enumerate(series.figures.items()):
        figure.add_scatter(
            x=_times(series), y=[None if one is None else reading(one) for one in found],
            name=version_name(name), connectgaps=False,
            mode="lines" if _is_whole(found) else "lines+markers",
            marker={"size": 5},
            line={"color": colours[name], "width": 2, "dash": dash_of(name, place)},
            hovertemplate=f"%{{y:.4g}}{unit}",
        )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    return figure


def latency(series: Series) -> go.Figure:
    """Return p50, p95 and p99 of each version; p95 is the thick one."""
    figure = blank(_TIME, "latency, ms", height=300, rows=2)
    colours = colours_of(series.figures)
    for name, found in series.figures.items():
        for label, width, dash, reading in _PERCENTILES:
            figure.add_scatter(
                x=_times(series), y=[None if one is None else reading(one) for one in found],
                name=f"{version_name(name)} {label}", mode="lines" if _is_whole(found) else
                "lines+markers", marker={"size": 4}, connectgaps=False,
                line={"color": colours[name], "width": width, "dash": dash},
                hovertemplate="%{y:,.0f} ms",
            )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    return figure


_PERCENTILES: tuple[tuple[str, float, str, Reading], ...] = (
    ("p50", 1.2, "dot", lambda one: one.p50_ms),
    ("p95", 2.6, "solid", lambda one: one.p95_ms),
    ("p99", 1.2, "dash", lambda one: one.p99_ms),
)


def requests(series: Series, *, height: int = 260) -> go.Figure:
    """Return requests a second, one version on top of the other."""
    figure = blank(_TIME, "requests a second", height=height)
    colours = colours_of(series.figures)
    for name, found in series.figures.items():
        figure.add_bar(
            x=_times(series), y=[0 if one is None else one.per_second for one in found],
            name=version_name(name), marker={"color": colours[name], "line": {"width": 0}},
            hovertemplate="%{y:.3g} /s",
        )  # fmt: skip
    return figure.update_layout(barmode="stack", bargap=0.12)


def errors(series: Series) -> go.Figure:
    """Return what share of the requests failed, was turned away, or was wrong; all versions."""
    figure = blank(_TIME, "share of requests, %", rows=2)
    kinds: tuple[tuple[str, str, Reading], ...] = (
        ("failed (5xx)", "#cf4a3a", lambda one: one.error_rate),
        ("no place or time (503)", "#c98a12", lambda one: one.refusal_rate),
        ("wrong requests (4xx)", "#7d8894", lambda one: one.bad_request_rate),
    )
    for place, (label, colour, reading) in enumerate(kinds):
        figure.add_scatter(
            x=_times(series), y=[_percent(_mean(step, reading)) for step in _steps(series)],
            name=label, mode="lines",
            line={"color": colour, "width": 2, "dash": dash_of("", place)},
            hovertemplate="%{y:.2f} %",
        )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    return figure


def verdicts(series: Series) -> go.Figure:
    """Return the shares of the verdicts of each step, all versions."""
    figure = blank(_TIME, "share of items, %", rows=2)
    for name, colour in VERDICT_COLOURS.items():
        shares = [_verdict_share(step, name) for step in _steps(series)]
        figure.add_bar(
            x=_times(series), y=[_percent(one) for one in shares], name=VERDICTS[name],
            marker={"color": colour, "line": {"width": 0}}, hovertemplate="%{y:.1f} %",
        )  # fmt: skip
    figure.update_yaxes(range=[0, 100])
    return figure.update_layout(barmode="stack", bargap=0.05)


def stages(by_version: dict[str, Figures]) -> go.Figure:
    """Return what a request spends its time with, by version: means, ms."""
    figure = blank("mean time, ms", height=120 + 40 * len(by_version))
    # Reading and faces are parts of `media`.
    shown = {"queue": "waiting", "decode": "reading", "faces": "faces", "network": "network"}
    for place, stage in enumerate(one for one in STAGES if one in shown):
        figure.add_bar(
            y=[version_name(name) for name in by_version],
            x=[one.stages_ms.get(stage) or 0 for one in by_version.values()],
            name=shown[stage], orientation="h", marker={"color": COLOURS[place]},
            hovertemplate="%{x:.1f} ms",
        )  # fmt: skip
    return figure.update_layout(barmode="stack", bargap=0.35, hovermode="closest")


def spark(series: Series, reading: Reading) -> go.Figure:
    """Return a small line without axes: the sum or mean of all versions."""
    figure = blank(height=44, legend=False)
    values = [_mean(step, reading) for step in _steps(series)]
    figure.add_scatter(x=_times(series), y=values, mode="lines", fill="tozeroy",
                       line={"width": 1.6, "color": COLOURS[0]},
                       fillcolor="rgba(47,126,216,.16)")  # fmt: skip
    figure.update_layout(margin={"l": 0, "r": 0, "t": 2, "b": 0})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, rangemode="tozero")
    return figure


def _times(series: Series) -> list[object]:
    return [when(at) for at in series.starts_us]


def _steps(series: Series) -> list[list[Figures]]:
    """Return the figures of each step, of all versions that answer."""
    names = [name for name in series.figures if not name.endswith(" shadow")]
    return [
        [found for name in names if (found := series.figures[name][at]) is not None]
        for at in range(len(series.starts_us))
    ]


def _mean(step: Sequence[Figures], reading: Reading) -> float | None:
    """Return the mean of versions, weighted by their requests."""
    pairs = [(one.requests, value) for one in step if (value := reading(one)) is not None]
    total = sum(weight for weight, _ in pairs)
    return sum(weight * value for weight, value in pairs) / total if total else None


def _verdict_share(step: Sequence[Figures], name: str) -> float | None:
    decided = sum(one.decided for one in step)
    if not decided:
        return None
    return sum(one.decided * one.verdicts.get(name, 0.0) for one in step) / decided


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _is_whole(found: Sequence[Figures | None]) -> bool:
    """Whether there are no single points, of which a line shows nothing."""
    return sum(one is not None for one in found) > 0.8 * len(found)
