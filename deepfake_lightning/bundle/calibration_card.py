"""The model card's part on calibration: thresholds, what they guarantee, and what they do not."""

from __future__ import annotations

from textwrap import fill

from deepfake_lightning.bundle.calibration_file import CalibrationRecord
from deepfake_lightning.bundle.calibration_words import (
    band,
    counted,
    precision,
    probability,
    short_guarantee,
    temperature,
    warnings,
)
from deepfake_lightning.bundle.reliability import BeforeAfter
from deepfake_lightning.schemas import ItemCalibration
from deepfake_lightning.schemas.assessment import MEANING, Verdict
from deepfake_lightning.schemas.calibration import KINDS, NOUNS, percent, promise

PREVALENCES = (0.01, 0.1)
VERDICTS: tuple[Verdict, ...] = ("inconclusive", "no_indication")
_WIDTH = 100
_READING = (
    "Fakes found: of the calib split, and so of known kinds; of others fewer are. Precision: the "
    "share of what is called manipulated that is, where so many of all items are fakes, with as "
    "many found as here and as many false alarms as allowed."
)


def calibration_card(record: CalibrationRecord) -> str:
    """Return the part of the card, Markdown."""
    parts: list[str] = []
    for kind in KINDS:
        noun, fitted = NOUNS[kind], record.calibration.of(kind)
        if fitted is not None:
            parts += _fitted(fitted, noun, record.in_sample.get(kind))
            continue
        why = record.why_not.get(kind, "not recorded")
        parts.append(f"**{noun.capitalize()}**: not calibrated, a score and no verdict: {why}.")
    if record.in_sample:
        parts += [f"`{verdict}`: {MEANING[verdict]}." for verdict in VERDICTS]
    if record.in_sample and record.split_policy == "official":
        parts.append("The splits are the data's own, which may share people with the training's.")
    return "\n\n".join(part if part[0] in "|-" else fill(part, _WIDTH) for part in parts)


def _fitted(fitted: ItemCalibration, noun: str, found: BeforeAfter | None) -> list[str]:
    parts = [f"**{noun.capitalize()}**: fitted on {counted(fitted)}."]
    parts += [f"**Beware**: {warning}." for warning in warnings(fitted, noun)]
    parts.append(f"{temperature(fitted, found).capitalize()}.")
    parts.append("\n".join(f"- {line}" for line in band(fitted)))
    if (text := promise(fitted, noun)) is not None:
        parts.append(f"{text[0].upper()}{text[1:]}.")
    return [*parts, _thresholds(fitted), _READING]


def _thresholds(fitted: ItemCalibration) -> str:
    heads = [f"precision at {percent(share)} fakes" for share in PREVALENCES]
    rows = [
        ["false alarms at most", "guarantee", "from", "fakes found", *heads],
        ["---"] * (4 + len(heads)),
    ]
    rows += [
        [
            percent(one.max_fpr) + (" (in use)" if one == fitted.operating else ""),
            short_guarantee(one),
            probability(one.threshold),
            f"{100 * one.tpr:.0f} %",
            *(precision(one, share) for share in PREVALENCES),
        ]
        for one in fitted.thresholds
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
