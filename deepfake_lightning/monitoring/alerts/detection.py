"""How good verdicts are on audited labels beside what the bundle was measured to be, and drift."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from deepfake_lightning.metrics import Interval, share_gap
from deepfake_lightning.metrics.weighted import balanced
from deepfake_lightning.monitoring.alerts.policy import AlertRule
from deepfake_lightning.monitoring.alerts.situation import MINUTE_US, Finding, Measurement
from deepfake_lightning.monitoring.alerts.source import Source
from deepfake_lightning.monitoring.alerts.traffic import finding_of, subject_of
from deepfake_lightning.monitoring.windows import (
    AuditedQuality,
    Estimate,
    Period,
    Scope,
    audited_quality,
)
from deepfake_lightning.registry import Registry
from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.schemas.measured import Measured, MeasuredValue

_EVALUATION = "evaluation.json"
_WORST: tuple[Finding, ...] = ("unknown", "well", "near", "unclear", "broken")


@dataclass(frozen=True)
class OwnFigure:
    """What a version was measured to be at the threshold that its verdicts have.

    The bundle's ``balanced_accuracy`` is at probability 0.5, and cannot be compared with verdicts.

    Attributes:
        balanced_accuracy: (recall + 1 - fpr) / 2.
        recall, fpr: share of the fakes, and of the real ones, in which it indicates manipulation.
    """

    balanced_accuracy: Interval
    recall: Interval
    fpr: Interval


def own_figure(measured: Measured, media: str) -> OwnFigure | None:
    """Return a bundle's own figure for a kind of media; None where it has no verdicts there."""
    for one in measured.thresholds:
        if one.media_type == media and one.is_calibrated:
            recall, fpr = _interval(one.found), _interval(one.false_alarms)
            return OwnFigure(balanced(recall, fpr), recall, fpr)
    return None


def read_measured(source: Source, version: str) -> Measured | None:
    """Return what a registered version was measured to be; None where nothing tells.

    The file alone is read: the bundle was verified when it was loaded to serve.
    """
    path = Registry(source.workspace).folder(version) / _EVALUATION
    try:
        return Measured.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def measure_quality(rule: AlertRule, source: Source) -> list[Measurement]:
    """Return how far each version is below its own figure: the worse of its kinds of media."""
    start = source.now_us - round(rule.window_minutes * MINUTE_US)
    period = Period(start, source.now_us)
    found: dict[str, Measurement] = {}
    for media in _kinds(rule, source):
        scope = Scope(environment=source.environment, media_type=media)
        for (version, variant), quality in audited_quality(source.log, period, scope).items():
            serves = source.serving is None or version in source.serving
            if variant != "serving" or not version or not serves:
                continue
            one = _drop(rule, source, media, quality)
            before = found.get(version)
            if before is None or _WORST.index(one.finding) > _WORST.index(before.finding):
                found[version] = one
    return list(found.values())


def _kinds(rule: AlertRule, source: Source) -> list[MediaType]:
    """Return the kinds of media of which a version that serves has a figure of its own."""
    kinds: tuple[MediaType, ...] = (rule.media,) if rule.media else ("image", "video")
    if source.serving is None:
        return list(kinds)
    measured = [read_measured(source, version) for version in source.serving]
    return [kind for kind in kinds if any(one and own_figure(one, kind) for one in measured)]


def _drop(rule: AlertRule, source: Source, media: str, quality: AuditedQuality) -> Measurement:
    subject, now = subject_of(source, quality.version), quality.balanced_accuracy
    measured = read_measured(source, quality.version)
    own = own_figure(measured, media) if measured is not None else None
    missing = None
    if own is None:
        missing = f"nothing tells how good {quality.version} was on {media}s at its threshold"
    elif now is None or quality.effective < rule.minimum:
        missing = (f"the labels of {quality.labels:,} {media}s are worth {quality.effective:.0f}, "
                   f"and it takes {rule.minimum:,}")  # fmt: skip
    if missing is not None or own is None or now is None:
        return Measurement(rule.name, subject, "unknown", limit=rule.limit, n=quality.labels,
                           says=missing or "", environment=source.environment)  # fmt: skip
    gap = share_gap(own.balanced_accuracy, Interval(now.value, now.low, now.high))
    drop = gap.value or 0.0
    certain = gap.low is not None and gap.low > (rule.limit or 0.0)
    finding = finding_of(rule, drop, certain=certain)
    return Measurement(
        rule.name, subject, finding, drop, rule.limit, quality.labels,
        _says(media, quality, now, own, finding),
        _report(source), source.environment,
    )  # fmt: skip


def _says(
    media: str, quality: AuditedQuality, now: Estimate, own: OwnFigure, finding: Finding
) -> str:
    was = own.balanced_accuracy.value
    says = (f"balanced accuracy on {media}s is {now.value:.3f} ({now.low:.3f} to {now.high:.3f}) "
            f"on {quality.labels:,} audited labels, {was:.3f} when it was measured")  # fmt: skip
    says += f"; recall {_share(quality.recall)}, was {_was(own.recall)}"
    says += f"; false alarms {_share(quality.fpr)}, were {_was(own.fpr)}"
    return says + ("; this may be chance, more labels will tell" if finding == "unclear" else "")


def measure_drift(rule: AlertRule, source: Source) -> list[Measurement]:
    """Return what was found of drift in the latest window of each version that was judged."""
    from deepfake_lightning.monitoring.drift import read_drift

    period = Period(source.now_us - round(rule.window_minutes * MINUTE_US), source.now_us + 1)
    found = {}
    for one in read_drift(source.log, period, environment=source.environment):
        serves = source.serving is None or one.version in source.serving
        if one.score is None or not serves:  # a window that was not judged says nothing
            continue
        finding: Finding = "broken" if one.confirmed else "unclear" if one.moved else "well"
        says = "; ".join(one.reasons) or "nothing has moved"
        if finding == "unclear":
            says += "; a second window will tell"
        found[one.version] = Measurement(
            rule.name, subject_of(source, one.version), finding, one.score, None, one.items, says,
            _report(source), source.environment,
        )  # fmt: skip
    return list(found.values())


def _report(source: Source) -> str:
    return f"deepfake-lightning monitor --env {source.environment} --period 7d --report week.html"


def _interval(value: MeasuredValue) -> Interval:
    return Interval(value.value, value.low, value.high)


def _share(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None else f"{100 * estimate.value:.0f} %"


def _was(value: Interval) -> str:
    return "undefined" if value.value is None else f"{100 * value.value:.0f} %"
