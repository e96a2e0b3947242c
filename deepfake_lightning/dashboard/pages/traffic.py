"""What came in and how fast it was answered."""

from __future__ import annotations

from collections.abc import Mapping

from dash.development.base_component import Component

from deepfake_lightning.dashboard.charts import traffic as charts
from deepfake_lightning.dashboard.charts.drawing import mark, span
from deepfake_lightning.dashboard.deployments import Mark, marks
from deepfake_lightning.dashboard.pages.absent import no_log, no_traffic
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import card, chart, grid, table, tile, tiles
from deepfake_lightning.dashboard.words import (
    NONE,
    clock,
    ms,
    percent,
    rate,
    version_name,
)
from deepfake_lightning.monitoring.windows import Figures, Series, Window

_MEDIA = {"image": "pictures", "video": "videos", "unknown": "refused unseen"}


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    window, series = source.window(view), source.series(view)
    if window is None or series is None:
        return [no_log(view)]
    if not window.total.requests and not window.total.items:
        return [no_traffic(view, window, source.clock())]
    changes = marks(source, view.env, window.period)
    total = window.total
    return [
        tiles(
            tile("Requests", f"{total.requests:,}", rate(total.per_second)),
            tile("p50", ms(total.p50_ms), "latency"),
            tile("p95", ms(total.p95_ms), "latency"),
            tile("p99", ms(total.p99_ms), "latency"),
            tile("Failed", percent(total.error_rate, 2), "5xx"),
            tile("Turned away", percent(total.refusal_rate, 2), "503"),
            tile("No face", percent(total.no_face_rate), "of the items"),
        ),
        *_charts(window, series, changes),
        *(
            _figures("By version", {_name(key): one for key, one in window.by_version.items()}),
            _figures("By media", {_MEDIA.get(k, k): one for k, one in window.by_media.items()}),
        ),
        *([_changes(changes)] if changes else []),
        *([_gaps(window)] if window.gaps else []),
    ]


def _charts(window: Window, series: Series, changes: list[Mark]) -> list[Component]:
    total, period = window.total, window.period
    marked = f"; {len(changes)} changes of what serves are marked" if changes else ""
    said = f"{period.says}{marked}"
    by_version = {_name(key): one for key, one in window.by_version.items() if one.stages_ms}
    drawn = {
        "latency": charts.latency(series),
        "requests": charts.requests(series),
        "errors": charts.errors(series),
        "verdicts": charts.verdicts(series),
        "no face": charts.over_time(
            series, "items without a face, %", lambda one: _percent(one.no_face_rate), unit=" %"
        ),
    }
    for figure in drawn.values():
        mark(span(figure, period.start_us, period.end_us), changes)
    return [
        card("Latency", chart(
            drawn["latency"], f"Latency, {said}: median {ms(total.p50_ms)}, 95 % below "
            f"{ms(total.p95_ms)}, 99 % below {ms(total.p99_ms)}"), size="wide"),
        grid(
            card("Throughput", chart(drawn["requests"], f"Requests a second, {said}")),
            card("Errors", chart(
                drawn["errors"], f"Errors, {said}: {percent(total.error_rate, 2)} failed")),
            card("Verdicts", chart(drawn["verdicts"], f"Shares of the verdicts, {said}")),
            card("No face", chart(drawn["no face"], f"Items without a face, {said}: "
                                  f"{percent(total.no_face_rate)}")),
            card("Where the time goes", chart(
                charts.stages(by_version), "Mean times of the stages by version")),
        ),
    ]  # fmt: skip


def _figures(title: str, found: Mapping[str, Figures]) -> Component:
    heads = ["", "requests", "p50", "p95", "p99", "failed", "no face"]
    rows = [
        [name, f"{one.requests or one.items:,}", ms(one.p50_ms), ms(one.p95_ms), ms(one.p99_ms),
         percent(one.error_rate, 2), percent(one.no_face_rate)]
        for name, one in found.items()
    ]  # fmt: skip
    return card(title, table(heads, rows, caption=title, numbers=set(range(1, 7))))


def _changes(changes: list[Mark]) -> Component:
    rows = [[clock(one.at_us), one.event, one.says, one.by, one.reason or NONE]
            for one in reversed(changes)]  # fmt: skip
    heads = ["when", "what", "serves since", "who", "why"]
    return card("Changes in this period", table(heads, rows, caption="changes of what serves"),
                size="wide")  # fmt: skip


def _gaps(window: Window) -> Component:
    rows = [[clock(one.from_us), clock(one.to_us), f"{one.lost:,}", one.reason]
            for one in window.gaps[:20]]  # fmt: skip
    return card(
        "Gaps in the log",
        table(["from", "to", "lost", "why"], rows, caption="gaps in the log", numbers={2}),
        note="These requests were answered; what they were is not known.", size="wide", tone="warn",
    )  # fmt: skip


def _name(key: tuple[str, str]) -> str:
    return version_name(key[0]) + (" shadow" if key[1] == "shadow" else "")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
