"""A report as an HTML page that fetches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from deepfake_lightning.monitoring.report.charts import STYLE, histogram, lines
from deepfake_lightning.monitoring.report.findings import Finding, findings
from deepfake_lightning.monitoring.report.record import MonitoringReport
from deepfake_lightning.monitoring.report.sections import sections
from deepfake_lightning.monitoring.report.words import moment, named
from deepfake_lightning.monitoring.windows import Figures
from deepfake_lightning.pages import html_page, html_table


def about(report: MonitoringReport) -> str:
    """Return what a report is of, in a line."""
    scope = report.window.scope
    parts = [scope.environment or "all environments", scope.version, scope.media_type]
    return ", ".join([*filter(None, parts), report.window.period.says])


def facts(report: MonitoringReport) -> str:
    """Return the small print."""
    period = report.window.period
    return (
        f"{moment(period.start_us)} to {moment(period.end_us)}; {report.log}; "
        f"made {moment(report.made_us)}"
    )


def report_page(report: MonitoringReport) -> str:
    """Return the page."""
    return html_page("Monitoring report", about(report), facts(report), _body(report))


def _body(report: MonitoringReport) -> Iterator[str]:
    yield STYLE
    found = findings(report)
    yield from map(_finding, found)
    if not any(one.weight != "note" for one in found):
        yield _finding(Finding("note", "no alert fires, and nothing has drifted that was judged"))
    for section in sections(report):
        yield f"<h2>{escape(section.title)}</h2>"
        yield from (f"<p>{_with_code(one)}</p>" for one in section.text)
        charts = [chart for chart in _CHARTS.get(section.key, _none)(report) if chart]
        if charts:
            yield f'<div class="charts">{"".join(charts)}</div>'
        if section.rows:
            yield html_table(section.heads, section.rows, numbers=section.numbers)


def _finding(one: Finding) -> str:
    step = f'<p class="soft">{_with_code(one.next_step)}</p>' if one.next_step else ""
    return (f'<div class="finding {one.weight}"><b>{one.weight}</b><p>{escape(one.says)}</p>'
            f"{step}</div>")  # fmt: skip


def _with_code(words: str) -> str:
    parts = escape(words).split("`")
    return "".join(f"<code>{one}</code>" if odd % 2 else one for odd, one in enumerate(parts))


def _traffic_charts(report: MonitoringReport) -> Iterator[str]:
    yield _over_time(report, "requests a second", lambda one: one.per_second, empty=0.0)
    yield _over_time(report, "p95 latency, ms", lambda one: one.p95_ms)
    yield _over_time(report, "failed requests (5xx)", lambda one: one.error_rate, "%")
    yield _over_time(report, "refused requests (503)", lambda one: one.refusal_rate, "%")


def _verdict_charts(report: MonitoringReport) -> Iterator[str]:
    yield _over_time(
        report, "manipulation indicated, of all verdicts",
        lambda one: one.verdicts.get("manipulation_indicated"), "%",
    )  # fmt: skip
    scores = {named(*key): one.scores for key, one in report.window.by_version.items()
              if sum(one.scores)}  # fmt: skip
    yield histogram("scores: probability of fake", scores) if scores else ""


def _drift_charts(report: MonitoringReport) -> Iterator[str]:
    judged = [one for one in report.drift if one.score is not None]
    found = {
        version: [((one.start_us + one.end_us) / 2, one.score) for one in judged
                  if one.version == version]
        for version in sorted({one.version for one in judged})
    }  # fmt: skip
    if len(judged) > 1:
        yield lines("drift score of each window", found, report.window.period, limit=0.5)


def _none(report: MonitoringReport) -> Iterator[str]:
    return iter(())


def _over_time(
    report: MonitoringReport, title: str, of: Callable[[Figures], float | None], unit: str = "",
    *, empty: float | None = None,
) -> str:  # fmt: skip
    series = report.series
    middle = series.step_s * 500_000
    found = {
        name or "no version": [
            (start + middle, empty if one is None else of(one))
            for start, one in zip(series.starts_us, every, strict=True)
        ]
        for name, every in series.figures.items()
    }
    return lines(title, found, report.window.period, unit)


_CHARTS = {"traffic": _traffic_charts, "verdicts": _verdict_charts, "drift": _drift_charts}
