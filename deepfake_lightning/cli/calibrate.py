"""``calibrate``: from scores to verdicts, with a guarantee that is stated."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from deepfake_lightning.cli.paths import near
from deepfake_lightning.errors import UsageError
from deepfake_lightning.steps import steps

if TYPE_CHECKING:
    from deepfake_lightning.bundle.calibration_file import CalibrationRecord
    from deepfake_lightning.schemas import ItemCalibration

_PREVALENCE = 0.01
_FLAGS = {name: f"--{name}" for name in ("fpr", "guarantee", "confidence", "max_miss")}


def calibrate(
    checkpoint: str,
    fpr: float | None = None,
    guarantee: Literal["marginal", "confidence"] = "marginal",
    confidence: float = 0.95,
    max_miss: float | None = None,
    prevalence: float = _PREVALENCE,
    run: str | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Fit what turns scores into verdicts, on the calib split: a temperature and two thresholds.

    From the upper threshold on, manipulation is indicated: at most so many real items are above it
    as --fpr says. Below the lower one there is no indication, which is no 'real'. In between it is
    inconclusive: ask a person. The record lies beside the checkpoint, and `bundle build` and
    `predict --ckpt_path` read it there. Pictures and clips are calibrated apart.

    Args:
        checkpoint: a file of `fit`.
        fpr: share of real items that may be called manipulated (default: the finest of 0.01, 0.02,
            0.05, 0.1 and 0.2 that the number of real items in the calib split allows).
        guarantee: how that holds: 'marginal', on average over such calibrations (0.01 needs 99
            real items), or 'confidence', for this one with --confidence (0.01 needs 299).
        confidence: that it is kept, for --guarantee confidence.
        max_miss: share of fakes, of known kinds, that may get 'no indication' (default: 0.05, or
            the next of 0.1 and 0.2 that the number of fakes allows).
        prevalence: share of fakes among the items that you expect, for the expected precision; it
            changes no threshold.
        run: the training's folder, where the checkpoint lies elsewhere.
        overwrite: replace the calibration that is there.
        json: print the record as JSON.
    """
    if not 0 < prevalence < 1:
        raise UsageError(
            f"--prevalence {prevalence:g} is no share of fakes between 0 and 1",
            next_step="pass 0.01 where you expect one fake in a hundred",
        )
    from deepfake_lightning.schemas.calibration import CalibrationPolicy
    from deepfake_lightning.schemas.settings import from_settings

    policy = from_settings(
        CalibrationPolicy, _FLAGS,
        fpr=fpr, guarantee=guarantee, confidence=confidence, max_miss=max_miss,
    )  # fmt: skip
    from deepfake_lightning.bundle.calibrating import calibrate as fitted
    from deepfake_lightning.bundle.calibration_file import calibration_path

    console, path = Console(stderr=json), Path(checkpoint)
    with steps(console) as progress:
        record = fitted(
            path, policy, run=Path(run) if run else None, overwrite=overwrite, progress=progress
        )
    written = calibration_path(path)
    if json:
        said = {"file": str(written), "prevalence": prevalence, **record.to_dict(),
                "expected_precision": _expected(record, prevalence)}  # fmt: skip
        sys.stdout.write(dumps(said, allow_nan=False) + "\n")
        return
    _print(console, record, prevalence)
    elsewhere = f" --run {run}" if run else ""
    _say(
        console,
        f"calibration: {near(written)}",
        "another threshold: the same with --fpr, --guarantee and --overwrite true",
        f"next: deepfake-lightning bundle build {checkpoint}{elsewhere}",
        to_copy=True,
    )


def _expected(record: CalibrationRecord, prevalence: float) -> dict[str, list[float | None]]:
    """Return the expected precision of each threshold of each kind of media."""
    from deepfake_lightning.metrics import expected_precision

    kinds = {"image": record.calibration.image, "video": record.calibration.video}
    return {
        kind: [expected_precision(one.tpr, one.max_fpr, prevalence) for one in fitted.thresholds]
        for kind, fitted in kinds.items()
        if fitted is not None
    }


def _print(console: Console, record: CalibrationRecord, prevalence: float) -> None:
    from deepfake_lightning.bundle.calibration_words import band, counted, temperature, warnings
    from deepfake_lightning.schemas.calibration import KINDS, NOUNS, percent, promise

    for kind in KINDS:
        fitted, noun = record.calibration.of(kind), NOUNS[kind]
        if fitted is None:
            _say(console, f"{noun}: not calibrated: {record.why_not[kind]}", "")
            continue
        found = record.in_sample[kind]
        _say(
            console,
            f"{noun}: {counted(fitted)}",
            temperature(fitted, found),
            *(f"beware: {warning}" for warning in warnings(fitted, noun)),
            *(f"  {line}" for line in band(fitted)),
        )
        console.print(_table(fitted, prevalence))
        _say(console, f"guaranteed: {promise(fitted, noun)}", "")
    _say(
        console,
        f"precision: of what is called manipulated, the share that is, where {percent(prevalence)} "
        f"of all items are fakes{_default(prevalence)}, with as many fakes found as here and as "
        "many false alarms as allowed. Of methods that are not known fewer are found",
    )
    if record.split_policy == "official":
        _say(console, "beware: the splits are the data's own, which may share people")


def _default(prevalence: float) -> str:
    return " (the default; say otherwise with --prevalence)" if prevalence == _PREVALENCE else ""


def _table(fitted: ItemCalibration, prevalence: float) -> Table:
    from deepfake_lightning.bundle.calibration_words import precision, probability, short_guarantee
    from deepfake_lightning.schemas.calibration import percent

    table = Table(box=None, pad_edge=False)
    table.add_column("false alarms")
    table.add_column("guarantee")
    heads = ("from", "fakes found", f"precision at {percent(prevalence)}")
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("")
    for one in fitted.thresholds:
        table.add_row(
            f"at most {percent(one.max_fpr)}",
            short_guarantee(one),
            probability(one.threshold),
            f"{100 * one.tpr:.0f} %",
            precision(one, prevalence),
            "in use" if one == fitted.operating else "",
        )
    return table


def _say(console: Console, *lines: str, to_copy: bool = False) -> None:
    """Print lines; those with paths to copy are not broken."""
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=to_copy)
