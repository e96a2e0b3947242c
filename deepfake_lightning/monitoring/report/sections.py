"""A report's sections: sentences and tables, the same in HTML and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from deepfake_lightning.evaluation.words import counted, share
from deepfake_lightning.monitoring.report.quality_table import quality_section_rows, quality_text
from deepfake_lightning.monitoring.report.record import MonitoringReport
from deepfake_lightning.monitoring.report.words import (
    VERDICT_WORDS,
    milliseconds,
    moment,
    named,
    rate,
)
from deepfake_lightning.monitoring.windows import Figures


@dataclass(frozen=True)
class Section:
    """Sentences, and a table.

    Attributes:
        key: what charts are put beside.
        title: of it.
        text: sentences before the table.
        heads, rows: of the table; without rows there is none.
        numbers: columns that are set to the right.
    """

    key: str
    title: str
    text: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[int, ...] = field(default=())


def sections(report: MonitoringReport) -> Iterator[Section]:
    """Return the sections in their order."""
    yield _traffic(report)
    yield _verdicts(report)
    yield _quality(report)
    yield _drift(report)
    yield _alerts(report)
    if report.window.gaps:
        yield _gaps(report)


def _traffic(report: MonitoringReport) -> Section:
    window = report.window
    rows = [("all", *_traffic_cells(window.total))]
    rows += [(f"media: {name}", *_traffic_cells(one)) for name, one in window.by_media.items()]
    rows += [
        (named(version), *_traffic_cells(one))
        for (version, variant), one in window.by_version.items()
        if variant == "serving"
    ]
    heads = ("", "requests", "rate", "5xx", "503", "4xx", "p50", "p95", "p99")
    text = "Latency is from the request to its answer; percentiles are within 5 %."
    return Section(
        "traffic", "Traffic and latency", (text,), heads, tuple(rows), tuple(range(1, 9))
    )


def _traffic_cells(one: Figures) -> tuple[str, ...]:
    rates = (one.error_rate, one.refusal_rate, one.bad_request_rate)
    times = (one.p50_ms, one.p95_ms, one.p99_ms)
    return (
        f"{one.requests:,}",
        rate(one.per_second),
        *map(share, rates),
        *map(milliseconds, times),
    )


def _verdicts(report: MonitoringReport) -> Section:
    window = report.window
    rows = [
        (
            named(version, variant),
            f"{one.items:,}",
            *(share(one.verdicts.get(name)) if one.verdicts else "undefined"
              for name in VERDICT_WORDS),
            share(one.no_face_rate),
        )
        for (version, variant), one in window.by_version.items()
        if one.items
    ]  # fmt: skip
    heads = ("version", "items", *VERDICT_WORDS.values(), "no face")
    text = "" if rows else "Nothing was looked at in this period."
    return Section("verdicts", "Verdicts and scores", (text,) if text else (), heads, tuple(rows),
                   tuple(range(1, 7)))  # fmt: skip


def _quality(report: MonitoringReport) -> Section:
    heads, rows = quality_section_rows(report)
    return Section("quality", "Quality on reviewed requests", tuple(quality_text(report)), heads,
                   rows, tuple(range(1, len(heads))))  # fmt: skip


def _drift(report: MonitoringReport) -> Section:
    latest = report.last_drift
    if not latest:
        why = sorted({reason for one in report.drift for reason in one.reasons})[:3]
        advice = "`deepfake-lightning monitor --check true` judges the windows that have ended."
        return Section(
            "drift", "Drift", ("No window of the period was judged.", *(why or [advice]))
        )
    rows, reasons = [], []
    for version, one in latest.items():
        state = "drifting" if one.confirmed else "moved once" if one.moved else "as it was"
        severity = "undefined" if one.severity is None else f"{one.severity:.3f}"
        moved = ", ".join(one.moved_features) or "none"
        start, score = moment(one.start_us), f"{one.score or 0:.2f}"
        rows.append((version, start, f"{one.items:,}", score, severity, state, moved))
        reasons += [f"{version}: {reason}" for reason in one.reasons]
    heads = ("version", "latest window", "items", "drift score", "AUC", "state", "moved")
    about = (
        "The drift score is 0 to 1, over 0.5 where a feature has moved. AUC says how well a "
        "classifier tells the window's faces from the reference's; 0.5: not at all."
    )
    return Section("drift", "Drift", (about, *reasons), heads, tuple(rows), (2, 3, 4))


def _alerts(report: MonitoringReport) -> Section:
    rows = [
        (moment(one.at_us), one.kind, one.alert.severity, one.alert.rule, one.alert.subject,
         one.alert.says)
        for one in report.events
    ]  # fmt: skip
    firing = sum(one.state == "firing" for one in report.alerts)
    pending = sum(one.state == "pending" for one in report.alerts)
    text = f"{counted(firing, 'alert')} firing now, {pending:,} pending; "
    text += f"{counted(len(rows), 'event')} in the period."
    heads = ("time", "what", "severity", "rule", "of", "says")
    return Section("alerts", "Alerts", (text,), heads, tuple(rows))


def _gaps(report: MonitoringReport) -> Section:
    rows = [
        (moment(gap.from_us), moment(gap.to_us), f"{gap.lost:,}", gap.reason)
        for gap in report.window.gaps
    ]
    text = "Requests were answered in these times, and are not in the log."
    return Section(
        "gaps", "Gaps in the log", (text,), ("from", "to", "lost", "why"), tuple(rows), (2,)
    )
