"""What a comparison says, in words and rounded numbers: the same in every form of a report."""

from __future__ import annotations

from collections.abc import Mapping

from deepfake_lightning.evaluation.words import NAMES, counted, number, signed, span
from deepfake_lightning.metrics import PairedDifference

METHOD = (
    "A difference is that of the second detector less the first, on the same items. AUROC is"
    " compared by DeLong's test (1988; midranks of Sun & Xu 2014) with Obuchowski's variance (1997)"
    " for items that come in groups; the other metrics by a bootstrap that draws whole groups"
    " (people, clips and their fakes), the same resamples for all detectors, with Student's t."
    " Both assume that groups are independent of each other and drawn from one source, and that"
    " there are enough of them: intervals over fewer than twenty are too narrow.",
    "Intervals hold 95 % each on its own. Verdicts and p are corrected by Holm's method (1979) over"
    " all tests of this comparison together, so that an interval may leave out 0 where the verdict"
    " is 'cannot tell'. 'Cannot tell' does not mean equal: the difference may be as large as the"
    " ends of its interval.",
    "Scores are those of whole items (pictures, clips), calibrated where the detector is, as"
    " users are shown them; log loss and Brier score are of these probabilities, and balanced"
    " accuracy decides at 0.5. What a detector could not score is in none of these figures.",
)


def difference(one: PairedDifference) -> str:
    """Return ``+0.031 (0.012 to 0.050)``, without what there is not."""
    return f"{signed(one.difference)} {span(one.low, one.high)}".strip()


def chance(p: float | None) -> str:
    """Return a p-value: ``0.004``, ``< 0.001`` or 'undefined'."""
    return "< 0.001" if p is not None and p < 0.001 else number(p)


def basis(counts: Mapping[str, int]) -> str:
    """Return what it rests on: ``400 items (200 real, 200 fake) of 100 groups``."""
    return (
        f"{counted(counts['items'], 'item')} ({counts['real']:,} real, {counts['fake']:,} fake) of"
        f" {counted(counts['groups'], 'group')}"
    )


def verdict(a: str, b: str, one: PairedDifference) -> str:
    """Return a verdict as a clause: ``v2 is better than v1: AUROC +0.031 (0.012 to 0.050)``."""
    name = NAMES.get(one.name, one.name)
    said = f"{b} is {one.verdict} than {a}"
    if one.verdict == "cannot tell":
        said = f"cannot tell whether {b} is better than {a}"
    if one.difference is None:
        return f"{said}: {name} is undefined, since there are no items of both classes"
    few = "" if one.low is not None else ", with too few groups for an interval"
    return f"{said}: {name} {difference(one)}{few}"


def sentence(a: str, b: str, one: PairedDifference, counts: Mapping[str, int]) -> str:
    """Return a verdict with what it rests on, as a sentence."""
    said = f"{verdict(a, b, one)}. It rests on {basis(counts)}."
    # A name stays as it is spelt: only our own words begin a sentence.
    return f"Cannot{said[6:]}" if one.verdict == "cannot tell" else said
