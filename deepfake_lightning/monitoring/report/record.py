"""What a report of a period holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfake_lightning.monitoring.alerts import Alert, AlertEvent
from deepfake_lightning.monitoring.drift import DriftRecord
from deepfake_lightning.monitoring.log.records import Variant
from deepfake_lightning.monitoring.windows import AuditedQuality, Series, Window

SCHEMA = 1


@dataclass(frozen=True)
class OwnQuality:
    """What a version was measured to be before it served, at the threshold of its verdicts.

    Attributes:
        media: kind of media.
        balanced_accuracy, recall, fpr: None where it was not measured.
    """

    media: str
    balanced_accuracy: float | None
    recall: float | None
    fpr: float | None


@dataclass(frozen=True)
class MonitoringReport:
    """What production did in a period.

    Attributes:
        log: name of the prediction log.
        made_us: when it was made, microseconds since 1970, UTC.
        window: its figures.
        series: the same, step by step.
        audited: how good each version and variant was on reviewed requests.
        own: what each version was measured to be before, where the registry tells.
        queue: how many drawn requests of the period wait for what.
        drift: what was found in the windows of the period, the oldest first.
        alerts: as they stand now: firing, pending, resolved in the period.
        events: what happened to alerts in the period.
    """

    log: str
    made_us: int
    window: Window
    series: Series
    audited: Mapping[tuple[str, Variant], AuditedQuality]
    own: Mapping[str, tuple[OwnQuality, ...]]
    queue: Mapping[str, int]
    drift: tuple[DriftRecord, ...]
    alerts: tuple[Alert, ...]
    events: tuple[AlertEvent, ...]

    @property
    def last_drift(self) -> dict[str, DriftRecord]:
        """The latest window of each version that was judged."""
        return {one.version: one for one in self.drift if one.score is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types. Of requests it holds no more than sums."""
        return {
            "schema": SCHEMA,
            "log": self.log,
            "made_us": self.made_us,
            **window_record(self.window),
            "series": plain(self.series),
            "audited": [plain(one) for one in self.audited.values()],
            "own": plain(self.own),
            "review_queue": dict(self.queue),
            "drift": [one.to_dict() for one in self.drift],
            "alerts": [one.to_dict() for one in self.alerts],
            "alert_events": [one.to_dict() for one in self.events],
        }


def window_record(window: Window) -> dict[str, Any]:
    """Return a window as plain JSON types."""
    record: dict[str, Any] = plain(window)
    record["period"]["says"] = window.period.says
    record["by_version"] = [
        {"version": version, "variant": variant, **plain(one)}
        for (version, variant), one in window.by_version.items()
    ]
    return record


def plain(value: Any) -> Any:
    """Return dataclasses, tuples and mappings as plain JSON types; keys become strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {" ".join(key) if isinstance(key, tuple) else str(key): plain(one)
                for key, one in value.items()}  # fmt: skip
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return value
