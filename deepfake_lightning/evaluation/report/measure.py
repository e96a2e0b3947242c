"""From scores to an evaluation: every figure of a report, and its interval."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.levels import LEVELS, Level, LevelName, Levels, levels_of
from deepfake_lightning.evaluation.report.decisions import Decided, decide
from deepfake_lightning.evaluation.report.mistakes import worst_mistakes
from deepfake_lightning.evaluation.report.operating import kind_results
from deepfake_lightning.evaluation.report.record import Counts, Evaluation, LevelResult
from deepfake_lightning.evaluation.report.subgroups import breakdowns
from deepfake_lightning.evaluation.robustness.measure import CleanItems, measure_robustness
from deepfake_lightning.evaluation.subject import Scale, Subject
from deepfake_lightning.metrics import RANKING, Interval, summary_intervals
from deepfake_lightning.metrics.classification import count

UNDEFINED = Interval(None, None, None)
_EXAMPLES = 5


def evaluate(
    subject: Subject,
    *,
    prevalence: float = 0.01,
    by: Sequence[str] = (),
    least: int = 20,
    worst: int = 12,
    draws: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Measure a detector's scores.

    Metrics of the three levels are of the scores as they are, so that they are those of ``test``;
    what is decided with the calibration is in ``kinds`` and ``breakdowns``.

    Args:
        subject: the scores.
        prevalence: share of fakes among what will be scored in the field, in (0, 1); it turns rates
            into the expected precision of each threshold.
        by: columns to break results down by, besides method, data set, compression, kind of media,
            number of face tracks and the columns that a user has added.
        least: items of a class that a group needs to take part in a gap, at least 1.
        worst: how many mistakes are listed, half of them false alarms.
        draws: resamples of the bootstrap.
        seed: of the draws.

    Raises:
        UsageError: a number is out of range, or there is no such column.
        DataError: there are no items, or one has two labels.
    """
    check_settings(prevalence, least)
    started = time.monotonic()
    levels = levels_of(subject)
    decided = decide(subject, levels)
    broken_down, left_out = breakdowns(levels, decided, by, least, draws, seed)
    notes = dict.fromkeys([*subject.notes, *levels.notes, *left_out])
    subject = replace(subject, notes=tuple(notes))
    found = Evaluation(
        subject=subject,
        levels=levels,
        calibrated=decided.calibrated[levels.item.item],
        counts=_counts(levels),
        results=_level_results(levels, subject.scale, draws, seed),
        kinds=kind_results(subject, levels, decided, prevalence, draws, seed),
        breakdowns=broken_down,
        mistakes=worst_mistakes(subject, levels, decided, worst),
        robustness=None
        if subject.degraded is None
        else measure_robustness(subject.degraded, _clean(levels, decided), draws=draws, seed=seed),
        prevalence=prevalence,
        draws=draws,
        seed=seed,
        seconds=0.0,
    )
    return replace(found, seconds=round(time.monotonic() - started, 2))


def check_settings(prevalence: float, least: int) -> None:
    """Refuse numbers that are out of range; see :func:`evaluate`.

    Raises:
        UsageError: one is.
    """
    if not 0 < prevalence < 1:
        raise UsageError(
            f"a prevalence of {prevalence:g} is not between 0 and 1",
            next_step="pass the share of fakes among what will be scored, 0.01 for 1 %",
        )
    if least < 1:
        raise UsageError("groups have at least one item", next_step="pass 1 or more")


def _level_results(
    levels: Levels, scale: Scale, draws: int, seed: int
) -> dict[LevelName, LevelResult]:
    """Return the results of the levels; what is the same, as of pictures, is worked out once."""
    found: dict[LevelName, LevelResult] = {}
    samples = -1
    for name in LEVELS:
        level = levels.of(name)
        if len(level) == samples:  # each has one of those before, and its score
            found[name] = replace(next(reversed(found.values())), name=name)
        else:
            found[name] = _level_result(name, level, scale, draws, seed)
        samples = len(level)
    return found


def _level_result(
    name: LevelName, level: Level, scale: Scale, draws: int, seed: int
) -> LevelResult:
    fakes = int(level.label.sum())
    metrics = summary_intervals(level.logit, level.label, level.group, draws=draws, seed=seed)
    ranks = scale == "rank"
    if ranks:
        metrics = {key: metrics[key] if key in RANKING else UNDEFINED for key in metrics}
    return LevelResult(
        name=name,
        real=len(level) - fakes,
        fake=fakes,
        groups=len(np.unique(level.group)),
        metrics=metrics,
        confusion=None if ranks else count(level.logit >= 0, level.label == 1),
    )


def _clean(levels: Levels, decided: Decided) -> CleanItems:
    level, items = levels.item, levels.items
    kind = decided.kind[level.item]
    temperature = [decided.fitted[of].temperature if of in decided.fitted else 1.0 for of in kind]
    return CleanItems(
        items["video_id"].to_numpy(str)[level.item], kind, level.logit, level.label == 1,
        level.group, np.array(temperature, np.float64), decided.floor[level.item],
        decided.decides, tuple(decided.fitted),
    )  # fmt: skip


def _counts(levels: Levels) -> Counts:
    items = levels.items
    scored = (items["status"] == "ok").to_numpy(bool)
    names = items["label"].map({0: "real", 1: "fake"}).astype("string").fillna("unlabelled")
    lost = items[~scored]
    known = scored & items["label"].notna().to_numpy(bool)
    return Counts(
        items=len(items),
        real=int((scored & (names == "real").to_numpy(bool)).sum()),
        fake=int((scored & (names == "fake").to_numpy(bool)).sum()),
        unlabelled=int((scored & ~known).sum()),
        frames=int(items["faces"].sum()),
        tracks=int(items["tracks"].sum()),
        groups=int(items.loc[known, "group"].nunique()),
        unscored={
            str(status): {str(k): int(n) for k, n in names[of.index].value_counts().items()}
            for status, of in lost.groupby("status", sort=True)
        },
        examples={
            str(status): tuple(_name(row) for _, row in of.head(_EXAMPLES).iterrows())
            for status, of in lost.groupby("status", sort=True)
        },
    )


def _name(row: pd.Series) -> str:
    reason = row["reason"]
    return str(row["path"]) if pd.isna(reason) else f"{row['path']}: {reason}"
