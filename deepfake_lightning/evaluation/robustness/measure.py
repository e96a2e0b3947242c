"""Degraded scores beside the clean ones of the same items: what each degradation costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.evaluation.robustness.record import (
    Change,
    DegradedResult,
    DegradedScores,
    Robustness,
)
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.metrics import (
    Interval,
    compare_summaries,
    share_interval,
    summary_intervals,
)

Float64Array = NDArray[np.float64]
_UNDEFINED = Interval(None, None, None)


@dataclass(frozen=True)
class CleanItems:
    """The scored, labelled items of an evaluation, [N] each.

    Attributes:
        name: str, of the items.
        kind: of media; None where it is not known.
        logit: float64.
        fake: bool.
        group: int64.
        temperature: float64, that calibrates a logit; 1 where nothing was fitted.
        floor: float64, calibrated log-odds from which on an item is called manipulated.
        decides: whether there is such a threshold; else the scores only rank.
        calibrated: kinds of media with a calibration.
    """

    name: NDArray[np.str_]
    kind: NDArray[np.object_]
    logit: Float64Array
    fake: NDArray[np.bool_]
    group: NDArray[np.int64]
    temperature: Float64Array
    floor: Float64Array
    decides: bool
    calibrated: tuple[str, ...]

    def take(self, chosen: NDArray[np.int64]) -> CleanItems:
        """Return the items at positions."""
        return CleanItems(
            self.name[chosen], self.kind[chosen], self.logit[chosen], self.fake[chosen],
            self.group[chosen], self.temperature[chosen], self.floor[chosen], self.decides,
            self.calibrated,
        )  # fmt: skip

    def above(self, logit: Float64Array) -> Float64Array:
        """Return how far logits lie above the threshold: from 0 on an item is called so."""
        return logit / self.temperature - self.floor


def measure_robustness(
    scores: DegradedScores, clean: CleanItems, *, draws: int, seed: int
) -> Robustness:
    """Return what each degradation does to the items that were drawn.

    AUROC is compared by DeLong's paired test with groups, rates at the threshold by the paired
    bootstrap over groups (:func:`~deepfake_lightning.metrics.compare_summaries`). What has no
    score any more is counted, and is in no rate.

    Args:
        scores: of the degraded items.
        clean: scores of all items, the drawn ones among them.
        draws: resamples of the groups.
        seed: of the draws.
    """
    place = {str(name): number for number, name in enumerate(clean.name)}
    drawn = clean.take(np.array([place[name] for name in scores.items], np.int64))
    own = {str(name): number for number, name in enumerate(drawn.name)}
    results = []
    for key, rows in scores.rows.groupby("degradation", sort=False):
        items = drawn.take(np.array([own[name] for name in rows["video_id"]], np.int64))
        logit = rows["logit"].to_numpy(np.float64)
        status = rows["status"].to_numpy(str)
        found = _result(str(key), items, logit, status, draws, seed)
        unmade = scores.unmade.get(str(key))
        results.append(found if unmade is None else replace(found, unmade=unmade.items))
    hit = drawn.above(drawn.logit) >= 0
    auroc = summary_intervals(
        drawn.logit, drawn.fake.astype(np.int64), drawn.group, draws=draws, seed=seed,
        names=["auroc"],
    )["auroc"]  # fmt: skip
    kinds = tuple(sorted({str(kind) for kind in drawn.kind if kind is not None}))
    return Robustness(
        results=tuple(sorted(results, key=_badness)),
        real=int((~drawn.fake).sum()),
        fake=int(drawn.fake.sum()),
        groups=len(np.unique(drawn.group)),
        real_groups=len(np.unique(drawn.group[~drawn.fake])),
        fake_groups=len(np.unique(drawn.group[drawn.fake])),
        of=scores.of,
        places=scores.places,
        auroc=auroc,
        false_alarms=_share(drawn, hit, ~drawn.fake, draws, seed),
        missed=_share(drawn, ~hit, drawn.fake, draws, seed),
        decides=clean.decides,
        calibrated=tuple(kind for kind in kinds if kind in clean.calibrated),
        kinds=kinds,
        seed=scores.seed,
        faces=scores.faces,
        example=scores.example,
        unmade=scores.unmade,
        already_cropped=scores.already_cropped,
    )


def _badness(one: DegradedResult) -> tuple[float, float, int]:
    order = list(DEGRADATIONS).index(one.key)
    # The few that are left may well be the easy ones: what they lose is no measure.
    if one.is_gone:
        return 0.0, -(one.unscored.value or 0.0), -order
    if one.lost is not None:
        return 1.0, -one.lost, -order
    more = one.mistakes[1].difference.value if one.mistakes else None
    if more is not None:
        return 2.0, -more, -order
    return 3.0, -(one.unscored.value or 0.0), -order  # there was nothing to rank to begin with


def _result(
    key: str, items: CleanItems, logit: Float64Array, status: NDArray[np.str_], draws: int,
    seed: int,
) -> DegradedResult:  # fmt: skip
    how, scored = DEGRADATIONS[key], status == "ok"
    unscored = share_interval(~scored, items.group, draws=draws, seed=seed)
    kept = items.take(np.flatnonzero(scored))
    logit = logit[scored]
    return DegradedResult(
        key=key,
        family=how.family,
        words=how.words,
        items=len(scored),
        real=int((~kept.fake).sum()),
        fake=int(kept.fake.sum()),
        no_face=int((status == "no_face").sum()),
        unreadable=int((status == "unreadable").sum()),
        unscored=unscored,
        auroc=_auroc(kept, logit, draws, seed),
        false_alarms=_rate(kept, logit, ~kept.fake, True, draws, seed),
        missed=_rate(kept, logit, kept.fake, False, draws, seed),
        reals=int((~items.fake).sum()),
        fakes=int(items.fake.sum()),
    )


def _auroc(kept: CleanItems, logit: Float64Array, draws: int, seed: int) -> Change:
    labels = kept.fake.astype(np.int64)
    value = summary_intervals(logit, labels, kept.group, draws=draws, seed=seed, names=["auroc"])
    pair = compare_summaries(kept.logit, logit, labels, kept.group, draws=draws, seed=seed,
                             names=["auroc"])["auroc"]  # fmt: skip
    return Change(pair.a, value["auroc"], Interval(pair.difference, pair.low, pair.high))


def _rate(
    kept: CleanItems, logit: Float64Array, chosen: NDArray[np.bool_], above: bool, draws: int,
    seed: int,
) -> Change:  # fmt: skip
    """Return the share of the chosen that lie above the threshold, or below it."""
    if not kept.decides or not chosen.any():
        return Change(None, _UNDEFINED, _UNDEFINED)
    group, sign = kept.group[chosen], 1.0 if above else -1.0
    before, after = kept.above(kept.logit)[chosen], kept.above(logit)[chosen]
    hit = (after >= 0) == above
    value = share_interval(hit, group, draws=draws, seed=seed)
    # All of one class, the share that is called so is their recall.
    pair = compare_summaries(before, after, np.ones(len(group), np.int64), group, draws=draws,
                             seed=seed, names=["recall"])["recall"]  # fmt: skip
    ends = [None if end is None else sign * end for end in (pair.low, pair.high)]
    low, high = ends if above else reversed(ends)
    clean = None if pair.a is None else (pair.a if above else 1 - pair.a)
    difference = None if pair.difference is None else sign * pair.difference
    return Change(clean, value, Interval(difference, low, high))


def _share(
    items: CleanItems, hit: NDArray[np.bool_], chosen: NDArray[np.bool_], draws: int, seed: int
) -> Interval:
    if not items.decides:
        return _UNDEFINED
    return share_interval(hit[chosen], items.group[chosen], draws=draws, seed=seed)
