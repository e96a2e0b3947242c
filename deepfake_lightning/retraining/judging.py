"""Whether a newly trained version may go on: what it learnt, and what it forgot. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_lightning.metrics import PairedDifference


@dataclass(frozen=True)
class Judgement:
    """What a version was found to be beside the one that it started from.

    Attributes:
        goes: whether it may go on.
        says: why, or why not, a sentence for each split.
    """

    goes: bool
    says: tuple[str, ...]


def judge_version(
    test: PairedDifference | None, new: PairedDifference | None, margin: float
) -> Judgement:
    """Return whether a version may go on.

    On the ``test`` split, which no loop changes, it may not lose more than a margin: that is what
    it would have forgotten. On the new slice it may not be shown to be worse: the 95 % interval of
    the difference may not lie below 0. Where there is nothing to compare on, that is said, and the
    gate's own rules are what is left.

    Args:
        test: AUROC of the new version (b) against the old one (a) on the ``test`` split; None where
            there is nothing to compare.
        new: the same on the new slice.
        margin: of AUROC, on ``test``.
    """
    forgets, says = _forgets(test, margin)
    worse, said = _is_worse(new)
    return Judgement(not (forgets or worse), (says, said))


def _forgets(test: PairedDifference | None, margin: float) -> tuple[bool, str]:
    if test is None or test.difference is None:
        return False, "there is no test split of both classes to see on what it has forgotten"
    forgets = test.difference < -margin
    what = "it has forgotten too much" if forgets else "what was learnt before is kept"
    return forgets, f"{what}: {_figures(test)} on the test split (it may lose {margin:.3f})"


def _is_worse(new: PairedDifference | None) -> tuple[bool, str]:
    if new is None or new.difference is None:
        return False, "the new slice has too few items to compare on, of each class one at least"
    # One metric is asked for; the comparison's own verdict is corrected for seven.
    worse = new.high is not None and new.high < 0
    better = new.low is not None and new.low > 0
    what = "it is worse" if worse else "it is better" if better else "cannot tell yet"
    return worse, f"{what} on the new slice: {_figures(new)}"


def _figures(one: PairedDifference) -> str:
    ends = "" if one.low is None or one.high is None else f" ({one.low:+.3f} to {one.high:+.3f})"
    return f"AUROC {one.a:.3f} before, {one.b:.3f} now, {one.difference:+.3f}{ends}"
