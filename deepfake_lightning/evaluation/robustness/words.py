"""What is said of robustness: the same on pages, in Markdown and in terminals."""

from __future__ import annotations

from deepfake_lightning.evaluation.robustness.ledger import RobustnessRecord
from deepfake_lightning.evaluation.robustness.record import (
    Change,
    DegradedResult,
    Robustness,
    Unmade,
)
from deepfake_lightning.evaluation.words import (
    counted,
    share,
    share_with_interval,
    signed,
    with_interval,
)
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.media.h264 import PRESET
from deepfake_lightning.metrics import Interval
from deepfake_lightning.schemas.calibration import NOUNS

_PLACES = {
    "clip": ("clip", "before faces are looked for: H.264 and the two chains to the file, with all"
             f" of its frames (x264, {PRESET}), the others to each frame that is looked at"),
    "picture": ("whole picture", "before faces are looked for"),
    "crop": ("face crop", "since there are no whole frames: nothing is said of faces that would no"
             " longer be found"),
}  # fmt: skip


def robustness_text(found: Robustness) -> tuple[str, ...]:
    """Return what has to be known of the table, in sentences, the worst case first."""
    lines = [
        *worst_words(found),
        f"Clean, the same items have an AUROC of {with_interval(found.auroc)}"
        + (f", {share_with_interval(found.false_alarms)} false alarms and"
           f" {share_with_interval(found.missed)} missed fakes" if found.decides else "") + ".",
        f"{counted(found.real + found.fake, 'item')} ({found.real:,} real of"
        f" {counted(found.real_groups, 'group')}, {found.fake:,} fake of"
        f" {counted(found.fake_groups, 'group')}; {found.groups:,} in all) were degraded, drawn"
        f" from {found.of:,} by group,"
        f" half of each class where there are enough (seed {found.seed}).",
        *(f"Applied to {counted(number, _PLACES[place][0])}, {_PLACES[place][1]}."
          for place, number in sorted(found.places.items())),
        *unmade_words(found),
        "Each is held against the clean scores of the same items: AUROC by DeLong's paired test"
        " over groups, rates by the paired bootstrap; intervals hold 95 %, each by itself. What"
        " has no score any more is counted, and is in no rate. Severities are those of the pixels"
        " as they come; platforms do as they please, and the two chains only resemble them.",
    ]  # fmt: skip
    return (*lines[:2], *threshold_words(found), *lines[2:])


def kept_words(found: RobustnessRecord) -> str:
    """Return the worst of a measurement that was kept, in a line: the report's first."""
    if not found.degradations:
        return f"nothing could be degraded of {counted(found.real + found.fake, 'item')}"
    key, one = next(iter(found.degradations.items()))
    rates = [
        f"{word} {share(rate)}"
        for word, rate in (("false alarms", one.false_alarms), ("missed fakes", one.missed),
                           ("no score left", one.unscored)) if rate
    ]  # fmt: skip
    auroc = "nothing can be ranked" if one.auroc is None else f"AUROC {one.auroc:.3f}"
    if one.auroc is not None and one.lost is not None:
        auroc += f" ({signed(-one.lost)} beside clean)"
    return (
        f"worst of {counted(len(found.degradations), 'degradation')} on"
        f" {counted(found.real + found.fake, 'item')} of {found.split}: {one.words or key}:"
        f" {', '.join((auroc, *rates))}"
    )


def worst_words(found: Robustness) -> tuple[str, ...]:
    """Return a sentence on the worst case; nothing without any."""
    one = found.worst
    if one is None:
        return ()
    if one.mistakes and not one.is_gone and one.mistakes[1].difference.value is not None:
        name, rate = one.mistakes
        return (f"Worst: {one.words}: {name} {_points(rate)} points, {unscored_words(one)}.",)
    if one.lost is None:
        return (f"Worst: {one.words}: nothing can be ranked, {unscored_words(one)}.",)
    if one.is_gone:
        return (
            f"Worst: {one.words}: {unscored_words(one)}, and {one.real:,} of"
            f" {counted(one.reals, 'real item')} and {one.fake:,} of"
            f" {counted(one.fakes, 'fake item')} left: rates are of those alone.",
        )
    return (
        f"Worst: {one.words}: AUROC {with_interval(one.auroc.degraded)}, a difference of"
        f" {_difference(one.auroc.difference)}; it was chosen for that, so new data will as a rule"
        " show less.",
    )


def unmade_words(found: Robustness) -> tuple[str, ...]:
    """Return what could not be degraded, and why; nothing where all could."""
    alike: dict[Unmade, list[str]] = {}
    for key, one in found.unmade.items():
        alike.setdefault(one, []).append(DEGRADATIONS[key].words)
    parts = [f"{' / '.join(words)}: {counted(one.items, 'item')}{' each' * (len(words) > 1)}"
             f" (the first: {one.reason})" for one, words in alike.items()]  # fmt: skip
    said = "Not measured, since they could not be degraded, and in no figure:"
    return (f"{said} {'; '.join(parts)}.",) if parts else ()


def threshold_words(found: Robustness) -> tuple[str, ...]:
    """Return which threshold rates are of."""
    if not found.decides:
        return ()
    fitted = [NOUNS[kind] for kind in found.kinds if kind in found.calibrated]  # type: ignore[index]
    others = [NOUNS[kind] for kind in found.kinds if kind not in found.calibrated]  # type: ignore[index]
    said = []
    if fitted:
        said.append(f"at the calibrated threshold of {' and '.join(fitted)}")
    if others or not fitted:
        said.append(f"at probability 0.5 of {' and '.join(others) or 'items'}: no threshold was"
                    " fitted for them")  # fmt: skip
    return (f"False alarms and missed fakes are those {', '.join(said)}.",)


def unscored_words(one: DegradedResult) -> str:
    """Return how many items have no score any more."""
    gone = one.no_face + one.unreadable
    return f"{gone:,} of {counted(one.items, 'item')} without a score" if gone else "all scored"


def robustness_rows(found: Robustness) -> tuple[list[str], list[list[str]]]:
    """Return the heads and rows of the table."""
    heads = ["degradation", "AUROC (95 %)", "difference (95 %)"]
    if found.decides:
        heads += ["false alarms, change in points", "missed fakes, change in points"]
    heads.append("no face, no score")
    rows = []
    for one in found.results:
        row = [one.words, with_interval(one.auroc.degraded), _difference(one.auroc.difference)]
        if found.decides:
            row += [_points(one.false_alarms), _points(one.missed)]
        rows.append([*row, _gone(one)])
    return heads, rows


def _difference(one: Interval) -> str:
    ends = "" if one.low is None or one.high is None else (
        f" ({signed(one.low)} to {signed(one.high)})"
    )  # fmt: skip
    return f"{signed(one.value)}{ends}"


def _points(one: Change) -> str:
    """Return ``12.0 %, +3.0 (-1.0 to +7.0)``."""
    change = one.difference
    if change.value is None:
        return share(one.degraded.value)
    ends = "" if change.low is None or change.high is None else (
        f" ({_signed_points(change.low)} to {_signed_points(change.high)})"
    )  # fmt: skip
    return f"{share(one.degraded.value)}, {_signed_points(change.value)}{ends}"


def _signed_points(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:+.1f}"


def _gone(one: DegradedResult) -> str:
    kinds = [(one.no_face, "no face"), (one.unreadable, "unreadable")]
    parts = ", ".join(f"{number:,} {what}" for number, what in kinds if number)
    return f"{share(one.unscored.value)} ({parts})" if parts else "none"
