"""What to look at first, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deepfake_lightning.evaluation.words import share
from deepfake_lightning.monitoring.report.record import MonitoringReport
from deepfake_lightning.monitoring.report.words import duration, moment, named

Weight = Literal["error", "warning", "note"]
_SILENT_S = 600


@dataclass(frozen=True)
class Finding:
    """One thing that somebody should know.

    Attributes:
        weight: ``error``, ``warning`` or ``note``.
        says: one sentence.
        next_step: what to do; empty where there is nothing.
    """

    weight: Weight
    says: str
    next_step: str = ""


def findings(report: MonitoringReport) -> list[Finding]:
    """Return what to look at, the worst first."""
    order = ("error", "warning", "note")
    found = [*_alerts(report), *_drift(report), *_log(report), *_review(report)]
    return sorted(found, key=lambda one: order.index(one.weight))


def _alerts(report: MonitoringReport) -> Iterator[Finding]:
    for one in report.alerts:
        if one.state == "firing":
            weight: Weight = "error" if one.severity == "critical" else "warning"
            since = f"since {moment(one.fired_us or one.since_us)}"
            seen = f", acknowledged by {one.acknowledged_by}" if one.acknowledged_by else ""
            yield Finding(weight, f"{one.subject}: {one.says} ({since}{seen})", one.next_step)


def _drift(report: MonitoringReport) -> Iterator[Finding]:
    for version, one in report.last_drift.items():
        if one.confirmed:
            moved = ", ".join(one.moved_features)
            yield Finding(
                "warning",
                f"{version}: what comes in has drifted from the reference: {moved} "
                f"(drift score {one.score:.2f})",
                "look at what changed in the traffic, and whether audited quality fell",
            )


def _log(report: MonitoringReport) -> Iterator[Finding]:
    window = report.window
    if window.lost:
        text = f"at least {window.lost:,} requests or scores of the period are not in the log"
        yield Finding("warning", text, "the gaps below say when, and why")
    if window.stale_minutes > 1:  # the minute that goes on is always one
        yield Finding(
            "note",
            f"{window.stale_minutes:,} minutes of the period are not added up yet",
            "the server does that every few seconds; without one: deepfake-lightning log show",
        )
    if not window.total.requests:
        last = f"the last one came {moment(window.last_us)}" if window.last_us else "none ever came"
        yield Finding(
            "note", f"no requests in the period; {last}",
            f"deepfake-lightning serve --env {window.scope.environment or 'production'}",
        )  # fmt: skip
    elif window.last_us is not None and window.period.name:
        silent = (window.period.end_us - window.last_us) / 1e6
        if silent > _SILENT_S:
            yield Finding("note", f"no requests for {duration(silent)}")


def _review(report: MonitoringReport) -> Iterator[Finding]:
    advice = "deepfake-lightning feedback review"
    for (version, variant), one in report.audited.items():
        if variant == "serving" and one.low_coverage:
            yield Finding(
                "note",
                f"{named(version)}: {one.labels:,} of {one.drawn:,} drawn requests are labelled "
                f"({share(one.coverage)}); audited figures may be biased towards those",
                advice,
            )
        if variant == "serving" and one.unheard > 0.05 and one.labels:
            yield Finding(
                "note",
                f"{named(version)}: no label at all for {share(one.unheard)} of the traffic (whole "
                "strata); audited figures do not speak of it",
                advice,
            )
