"""What a dashboard shows: each panel's title, unit and expressions.

``INSTANCE`` stands for the condition that a dashboard's variables make; ``[R]`` is the span of a
rate that Grafana chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["timeseries", "stat", "table"]
_PLACE, _SERVER = "{{environment}} {{version}}", "{{instance}}"


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and the name of each series of it."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """What is shown together.

    Attributes:
        title: of it.
        unit: as Grafana names it.
        queries: what is shown.
        kind: of panel.
        stacked: whether series are added up.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    stacked: bool = False


@dataclass(frozen=True)
class Row:
    """Panels under a heading; ``height`` in Grafana's units."""

    title: str
    panels: tuple[Panel, ...]
    height: int = 8


def _rate(metric: str, *by: str, where: str = "") -> str:
    return f"sum by ({', '.join(by)}) (rate({metric}{{INSTANCE{where}}}[R]))"


def _quantiles(metric: str, legend: str, *by: str, of: tuple[int, ...] = (50, 95, 99)) -> tuple[
    Query, ...
]:  # fmt: skip
    buckets = _rate(f"{metric}_bucket", *by, "le")
    return tuple(
        Query(f"histogram_quantile({q / 100:g}, {buckets})", f"p{q} {legend}".strip()) for q in of
    )


def _share(where: str, legend: str, *by: str) -> Query:
    predictions = "deepfake_predictions_total"
    return Query(f"{_rate(predictions, *by, where=where)} / {_rate(predictions, *by)}", legend)


def _one(title: str, unit: str, expr: str, legend: str = "", *, stacked: bool = False) -> Panel:
    return Panel(title, unit, (Query(expr, legend),), stacked=stacked)


def _stat(title: str, unit: str, expr: str) -> Panel:
    return Panel(title, unit, (Query(expr),), "stat")


ROWS = (
    Row("Now", (
        _stat("Servers", "short", "count(deepfake_build_info{INSTANCE})"),
        _stat("Predictions", "reqps", "sum(rate(deepfake_predictions_total{INSTANCE}[R]))"),
        _stat("Firing alerts", "short",
              'sum(max by (rule, subject) (deepfake_alert_firing{INSTANCE})) or '
              "0 * count(deepfake_build_info{INSTANCE})"),
        _stat("Refused version", "bool_yes_no", "max(deepfake_version_refused{INSTANCE})"),
        _stat("Log away", "bool_yes_no", "max(deepfake_log_away{INSTANCE})"),
    ), 4),
    Row("Traffic", (
        _one("Predictions by version and status", "reqps",
             _rate("deepfake_predictions_total", "environment", "version", "status"),
             f"{_PLACE} {{{{status}}}}", stacked=True),
        _one("Verdicts by version", "reqps",
             _rate("deepfake_verdicts_total", "version", "variant", "verdict"),
             "{{version}} {{variant}} {{verdict}}", stacked=True),
        Panel("Failed and refused predictions", "percentunit", (
            _share(',status=~"5..",status!="503"', f"failed {_PLACE}", "environment", "version"),
            _share(',status="503"', "refused {{environment}}", "environment"),
        )),
        _one("Requests by route and status", "reqps",
             _rate("deepfake_requests_total", "route", "status"), "{{route}} {{status}}"),
        _one("Requests above their rate", "reqps",
             _rate("deepfake_rate_limited_total", "instance"), _SERVER),
        _one("What serves, share of the traffic", "percentunit",
             "max by (environment, version, variant) (deepfake_version_share_ratio{INSTANCE}) "
             "and on (environment, version, variant) deepfake_version_info{INSTANCE} > 0",
             f"{_PLACE} {{{{variant}}}}"),
    )),
    Row("Speed", (
        Panel("Latency of predictions", "s",
              _quantiles("deepfake_prediction_seconds", _PLACE, "environment", "version")),
        Panel("Latency of predictions by media, p95", "s",
              _quantiles("deepfake_prediction_seconds", "{{media}}", "media", of=(95,))),
        Panel("Time of requests by route, p95", "s",
              _quantiles("deepfake_request_seconds", "{{route}}", "route", of=(95,))),
        Panel("Time of stages, p95", "s",
              _quantiles("deepfake_stage_seconds", "{{stage}}", "stage", of=(95,))),
    )),
    Row("Load", (
        _one("Queues", "short", "sum by (queue) (deepfake_queue_length{INSTANCE})", "{{queue}}"),
        Panel("Faces in a run of the network", "short", (
            Query("sum(rate(deepfake_batch_size_sum{INSTANCE}[R])) / "
                  "sum(rate(deepfake_batch_size_count{INSTANCE}[R]))", "mean"),
            *_quantiles("deepfake_batch_size", "", of=(95,)),
        )),
        _one("Jobs", "short", "max by (state) (deepfake_jobs{INSTANCE})", "{{state}}"),
        Panel("Lost: rows of the log, media for review, shadows", "short", tuple(
            Query(f"sum(increase({metric}{{INSTANCE}}[R]))", name)
            for metric, name in (
                ("deepfake_log_rows_dropped_total", "rows"),
                ("deepfake_review_media_not_kept_total", "media"),
                ("deepfake_shadows_skipped_total", "shadows"),
            )
        )),
    )),
    Row("Machine", (
        _one("Memory of server processes, without decoders", "bytes",
             "sum by (instance) (process_resident_memory_bytes{INSTANCE})", _SERVER),
        _one("Processor time of server processes", "short",
             _rate("process_cpu_seconds_total", "instance"), _SERVER),
        _one("Disk used", "percentunit",
             "max by (instance, disk) (deepfake_disk_used_ratio{INSTANCE})",
             f"{_SERVER} {{{{disk}}}}"),
        _one("Open files", "percentunit",
             "max by (instance) (process_open_fds{INSTANCE} / process_max_fds{INSTANCE})", _SERVER),
    )),
    Row("Judged by `monitor`", (
        Panel("Alerts: 1 fires, 0 pending", "short", (
            Query("max by (severity, rule, subject) (deepfake_alert_firing{INSTANCE})"),
        ), "table"),
        _one("Since alerts were judged", "s",
             "time() - max by (environment) (deepfake_alerts_judged_timestamp_seconds{INSTANCE})",
             "{{environment}}"),
        Panel("What runs", "short", (
            Query("max by (instance, version, python) (deepfake_build_info{INSTANCE})"),
        ), "table"),
    )),
)  # fmt: skip
