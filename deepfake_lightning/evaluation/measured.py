"""What of an evaluation travels with a version: its figures, and the same in words."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake_lightning.evaluation.report.record import Evaluation
from deepfake_lightning.evaluation.words import NAMES, decisions, with_interval
from deepfake_lightning.metrics import Interval
from deepfake_lightning.registry.registering import Measurement
from deepfake_lightning.schemas.calibration import NOUNS
from deepfake_lightning.schemas.measured import Measured, MeasuredThreshold, MeasuredValue

_SHOWN = ("auroc", "average_precision", "eer", "tpr_at_fpr_1", "balanced_accuracy", "log_loss",
          "brier", "ece")  # fmt: skip


def measurement(found: Evaluation) -> Measurement:
    """Return what goes into the bundle of a version, and into its model card."""
    record = measured(found)
    return Measurement(record, measured_words(record))


def measured(found: Evaluation) -> Measured:
    """Return what of an evaluation travels with a version."""
    counts, data = found.counts, found.subject.data
    return Measured(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        split=str(data.get("split")),
        content_hash=data.get("content_hash"),
        split_policy=data.get("split_policy"),
        looks=data.get("looks"),
        real=counts.real,
        fake=counts.fake,
        unscored=counts.without_score,
        groups=counts.groups,
        metrics={
            level: {name: _value(one) for name, one in found.results[level].metrics.items()}
            for level in ("item", "frame")
        },
        thresholds=tuple(
            MeasuredThreshold(
                media_type=kind.kind, probability=one.probability,
                is_calibrated=kind.temperature is not None,
                false_alarms=_value(one.false_alarms), found=_value(one.found),
            )
            for kind in found.kinds
            for one in kind.thresholds
            if one.decides
        ),
        notes=found.subject.notes,
    )  # fmt: skip


def _value(one: Interval) -> MeasuredValue:
    return MeasuredValue(value=one.value, low=one.low, high=one.high)


def measured_words(record: Measured) -> str:
    """Return what was measured, for a model card: Markdown."""
    lines = [
        f"On the {record.split} split of its training's data (splits: {record.split_policy}): "
        f"{record.real:,} real and {record.fake:,} fake items of {record.groups:,} groups;\n"
        f"{record.unscored:,} items have no score and are in no figure. Intervals hold 95 %, over "
        "groups.",
        "\n".join(["| metric | items | frames |", "|---|---|---|", *_rows(record)]),
    ]
    for one in record.thresholds:
        noun = NOUNS[one.media_type] if one.media_type else "items"
        at = "its operating threshold" if one.is_calibrated else "probability 0.5"
        lines.append(f"At {at} {decisions(one.found, one.false_alarms, noun)}.")
    return "\n\n".join([*lines, *(f"- {note}" for note in record.notes)])


def _rows(record: Measured) -> list[str]:
    cells = [
        (NAMES[name], _said(record, "item", name), _said(record, "frame", name)) for name in _SHOWN
    ]
    return [f"| {' | '.join(row)} |" for row in cells]


def _said(record: Measured, level: str, name: str) -> str:
    return with_interval(record.metrics[level].get(name, MeasuredValue(value=None)))
