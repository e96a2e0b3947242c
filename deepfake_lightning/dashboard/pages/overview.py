"""How things stand, at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.charts import traffic as charts
from deepfake_lightning.dashboard.charts.drawing import mark, span
from deepfake_lightning.dashboard.deployments import changes, marks
from deepfake_lightning.dashboard.pages.absent import no_log, no_traffic
from deepfake_lightning.dashboard.pages.serving import serving
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import (
    Tone,
    badge,
    banner,
    card,
    chart,
    grid,
    table,
    tile,
    tiles,
)
from deepfake_lightning.dashboard.words import (
    NONE,
    VERDICTS,
    ago,
    first,
    ms,
    number,
    percent,
    rate,
    time_of_day,
)
from deepfake_lightning.monitoring.alerts import Alert
from deepfake_lightning.monitoring.windows import Figures, RecentPrediction, Series, Window
from deepfake_lightning.schemas.environment import EnvironmentRecord

VERDICT_TONES: dict[str, Tone] = {
    "manipulation_indicated": "bad",
    "inconclusive": "warn",
    "no_indication": "info",
    "not_assessable": "plain",
}
_LATELY_US = 15 * 60_000_000


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    window, now_us = source.window(view), source.clock()
    alerts = [one for one in source.all_alerts() if one.environment in (None, view.env)]
    record = source.serving(view.env)
    parts: list[Component] = [_standing(view, record, window, alerts, now_us)]
    if record.versions or window is not None:
        parts.append(serving(view, record, changes(source, view.env)))
    if window is None:
        return [*parts, no_log(view)]
    if not window.total.requests and not window.total.items:
        return [*parts, no_traffic(view, window, now_us)]
    series = source.series(view)
    parts.append(_tiles(source, view, window, alerts))
    if series is not None:
        parts.append(_charts(source, view, series, window))
    return [*parts, _recent(source.recent(view) or [], now_us)]


def _standing(
    view: View,
    record: EnvironmentRecord,
    window: Window | None,
    alerts: Sequence[Alert],
    now_us: int,
) -> Component:
    """Say in a line how things stand: the worst of it first."""
    firing = [one for one in alerts if one.state == "firing"]
    if firing:
        what = f"{firing[0].rule.replace('_', ' ')} of {firing[0].subject}: "
        more = f"; and {len(firing) - 1} more. " if len(firing) > 1 else ". "
        way = dcc.Link("See the alerts", href=view.with_(page="alerts").href)
        tone: Tone = "bad" if any(one.severity == "critical" for one in firing) else "warn"
        head = f"{len(firing)} alert{'s fire' if len(firing) > 1 else ' fires'}"
        return banner(
            tone, html.P([html.Strong(f"{head}: "), what, first(firing[0].says)[0], more, way])
        )
    if not record.serving:
        said = f"Nothing is deployed in {view.env}."
        return banner("plain", html.P(html.Strong(said)))
    if window is not None and window.lost:
        lost = f"{window.lost:,} requests of this period were answered and are not in the log: "
        reason = window.gaps[0].reason if window.gaps else ""
        return banner("warn", html.P([html.Strong("The log has gaps. "), lost, reason]))
    if window is None or window.last_us is None:
        return banner("plain", html.P(html.Strong(f"{view.env} waits for its first request.")))
    if now_us - window.last_us > _LATELY_US:
        said = f"No alert fires. The last request came {ago(window.last_us, now_us)}."
        return banner("plain", html.P(html.Strong(said)))
    pending = sum(one.state == "pending" for one in alerts)
    more = f" {pending} may come: see the alerts." if pending else ""
    return banner("good", html.P([html.Strong("All is well: "), f"no alert fires.{more}"]))


def _tiles(source: Source, view: View, window: Window, alerts: Sequence[Alert]) -> Component:
    total = window.total
    image = window.by_media.get("image")
    records = source.latest_drift(view)
    scores = [one.score for one in records if one.score is not None]
    firing = sum(one.state == "firing" for one in alerts)
    pending = sum(one.state == "pending" for one in alerts)
    drifted = any(one.confirmed for one in records)
    moved = sorted({name for one in records for name in one.moved_features})
    errors: Tone = "bad" if (total.error_rate or 0) > 0.01 else "plain"
    slow: Tone = "warn" if image and (image.p95_ms or 0) > 500 else "plain"
    now_worst = max(scores, default=None)
    shaken: Tone = "bad" if drifted else "warn" if moved else "plain"
    loud: Tone = "bad" if firing else "plain"
    return tiles(
        tile("Requests", f"{total.requests:,}", rate(total.per_second),
             href=view.with_(page="traffic").href),
        tile("Errors", percent(total.error_rate, 2), "5xx of all requests", tone=errors,
             href=view.with_(page="traffic").href),
        tile("p95, pictures" if image else "p95", ms((image or total).p95_ms),
             f"median {ms((image or total).p50_ms)}", tone=slow,
             href=view.with_(page="traffic").href),
        tile("Manipulation", percent(total.verdicts.get("manipulation_indicated")),
             f"no face {percent(total.no_face_rate)}", href=view.with_(page="scores").href),
        tile("Drift score", number(now_worst), _drift_says(moved, bool(records)), tone=shaken,
             href=view.with_(page="drift").href),
        tile("Alerts", str(firing), f"{pending} pending", tone=loud,
             href=view.with_(page="alerts").href),
    )  # fmt: skip


def _drift_says(moved: Sequence[str], known: bool) -> str:
    if not known:
        return "no window yet"
    return f"moved: {', '.join(moved[:3])}" if moved else "nothing moved"


def _charts(source: Source, view: View, series: Series, window: Window) -> Component:
    period, total = window.period, window.total
    says = f"{period.says}: {total.requests:,} requests"
    coming = charts.requests(series, height=220)
    waiting = charts.over_time(series, "p95 latency, ms", _p95, unit=" ms", height=220)
    for figure in (coming, waiting):
        mark(span(figure, period.start_us, period.end_us), marks(source, view.env, period))
    return grid(
        card("Requests", chart(coming, f"Requests a second, {says}")),
        card("Latency", chart(waiting, f"95th percentile of latency, {says}, "
                              f"{ms(total.p95_ms)} in all")),
    )  # fmt: skip


def _p95(figures: Figures) -> float | None:
    return figures.p95_ms


def _recent(recent: Sequence[RecentPrediction], now_us: int) -> Component:
    rows = [
        [
            html.Span(time_of_day(one.ts_us), title=ago(one.ts_us, now_us)),
            one.version or NONE,
            {"image": "picture", "video": "video"}.get(one.media_type or "", NONE),
            verdict(one),
            number(one.score),
            ms(one.latency_us / 1000),
            html.Code(one.id[:12], title=one.id, className="id"),
        ]
        for one in recent
    ]
    heads = ["time", "version", "media", "verdict", "score", "latency", "request"]
    return card(
        "Latest predictions",
        table(heads, rows, caption="latest predictions", numbers={4, 5}, compact=True),
        note="As they come, every few seconds.", size="wide",
    )  # fmt: skip


def verdict(one: RecentPrediction) -> Component:
    """Return what was said of a request, or why nothing was."""
    if one.verdict:
        return badge(
            VERDICTS.get(one.verdict, one.verdict), VERDICT_TONES.get(one.verdict, "plain")
        )
    if one.http_status >= 400:
        tone: Tone = "bad" if one.http_status >= 500 else "plain"
        return badge(f"{one.http_status} {one.error or ''}".strip(), tone)
    return badge("score without verdict")
