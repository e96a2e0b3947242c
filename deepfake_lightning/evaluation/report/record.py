"""The record of an evaluation: what was measured, with intervals, and what it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.evaluation.levels import LevelName, Levels
from deepfake_lightning.evaluation.robustness.record import Robustness
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import Confusion, Interval
from deepfake_lightning.schemas.calibration import MediaType, OperatingThreshold

LEVEL = 0.95
"""Share of data sets whose interval holds the truth."""


@dataclass(frozen=True)
class Counts:
    """What there is, and what could not be scored; the latter is in no figure.

    Attributes:
        items: pictures and clips, all of them.
        real, fake: of the items, those with a score and this label.
        unlabelled: items with a score and no label.
        frames, tracks: scored faces, and face tracks.
        groups: independent groups (people) among the scored items with a label.
        unscored: status -> label (``real``, ``fake``, ``unlabelled``) -> items.
        examples: status -> names of the first of them.
    """

    items: int
    real: int
    fake: int
    unlabelled: int
    frames: int
    tracks: int
    groups: int
    unscored: Mapping[str, Mapping[str, int]]
    examples: Mapping[str, tuple[str, ...]]

    @property
    def without_score(self) -> int:
        """How many items could not be scored."""
        return sum(sum(of.values()) for of in self.unscored.values())


@dataclass(frozen=True)
class LevelResult:
    """The metrics of frames, tracks or items, as they are before calibration.

    Attributes:
        name: of the level.
        real, fake: samples with a score and this label.
        groups: independent groups among them.
        metrics: by name, with 95 % intervals over groups; undefined without both classes, or where
            scores only rank.
        confusion: at probability 0.5; None where scores only rank.
    """

    name: LevelName
    real: int
    fake: int
    groups: int
    metrics: Mapping[str, Interval]
    confusion: Confusion | None


@dataclass(frozen=True)
class ThresholdResult:
    """A threshold, what was promised of it, and what it did on these data.

    Attributes:
        probability: calibrated probability from which on an item is called manipulated.
        promised: the threshold of the calibration, and what it promises; None where nothing is.
        false_alarms: share of real items at or above it, measured here.
        found: share of fakes at or above it, measured here.
        precision: expected share of fakes among what is called manipulated, at the declared
            prevalence. False alarms are those promised, or those measured where these are more;
            where nothing is promised, the upper end of their interval, since no false alarm among
            a few real items is no promise. None where nothing is called so, a class is missing, or
            there are too few groups for an interval.
        decides: it is the one that verdicts rest on.
    """

    probability: float
    promised: OperatingThreshold | None
    false_alarms: Interval
    found: Interval
    precision: float | None
    decides: bool


@dataclass(frozen=True)
class KindResult:
    """How the items of one kind of media are decided.

    Attributes:
        kind: of media; None where it is not known.
        real, fake: scored items.
        temperature: that calibrates their scores; None where nothing was fitted.
        before, after: log loss, Brier score and expected calibration error on these data, without
            and with the temperature; None where there are no items of it.
        thresholds: the strictest first; at least one, probability 0.5 where nothing was fitted.
        verdicts: label (``real``, ``fake``) -> verdict -> items, those without a score included;
            empty without a calibration, which there are no verdicts without.
    """

    kind: MediaType | None
    real: int
    fake: int
    temperature: float | None
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]
    thresholds: tuple[ThresholdResult, ...]
    verdicts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Subgroup:
    """The items that have one value of a column.

    Attributes:
        value: of the column.
        real, fake: scored items.
        unscored: those without a score.
        auroc: ranking of the group's fakes against its reals.
        false_alarms: share of its reals that are called manipulated at the operating threshold.
        missed: share of its fakes that are not.
    """

    value: str
    real: int
    fake: int
    unscored: int
    auroc: Interval
    false_alarms: Interval
    missed: Interval


@dataclass(frozen=True)
class Gap:
    """The widest difference of a rate between two groups.

    Attributes:
        of: ``false_alarms`` or ``missed``.
        highest, lowest: values of the groups.
        difference: of the two rates. The two were chosen for lying furthest apart, so it is on
            average wider than it will be on new data.
    """

    of: str
    highest: str
    lowest: str
    difference: Interval


@dataclass(frozen=True)
class Breakdown:
    """Results by the values of one column.

    Attributes:
        column: its name.
        subgroups: the largest first.
        gaps: of false alarms and of misses, where at least two groups are large enough.
        least: items of a class that a group needs to take part in a gap.
        shared_reals: the reals of each group are all those of the data sets it occurs in, since
            real items have no method of their own.
    """

    column: str
    subgroups: tuple[Subgroup, ...]
    gaps: tuple[Gap, ...]
    least: int
    shared_reals: bool = False


@dataclass(frozen=True)
class Mistake:
    """An item that the detector got wrong, or least right.

    Attributes:
        item, path: its name and file.
        label: 0 real, 1 fake.
        probability: calibrated; None where scores only rank.
        score: as it is, log-odds or what ranks.
        verdict: what users are told; None without calibration.
        method, dataset: None where not known.
        frame, track: of its highest score; None for a picture.
        picture: JPEG of that face; None unless media are embedded.
    """

    item: str
    path: str
    label: int
    probability: float | None
    score: float
    verdict: str | None
    method: str | None
    dataset: str | None
    frame: int | None
    track: int | None
    picture: bytes | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was measured of one detector on one split.

    Attributes:
        subject: the scores and where they come from.
        levels: the scores at their levels.
        calibrated: float64 [N], calibrated log-odds of the N samples of ``levels.item``.
        counts: what there is.
        results: by level.
        kinds: how items are decided, by kind of media; empty where scores only rank.
        breakdowns: by column.
        mistakes: the worst, false alarms and misses.
        prevalence: declared share of fakes in the field.
        draws, seed: of the bootstrap.
        seconds: how long measuring took, scoring not included.
        robustness: under degradations; None where it was not measured.
    """

    subject: Subject
    levels: Levels
    calibrated: NDArray[np.float64]
    counts: Counts
    results: Mapping[LevelName, LevelResult]
    kinds: tuple[KindResult, ...]
    breakdowns: tuple[Breakdown, ...]
    mistakes: tuple[Mistake, ...]
    prevalence: float
    draws: int
    seed: int
    seconds: float
    robustness: Robustness | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``report.json``: plain JSON types, None where undefined."""
        subject = self.subject
        return {
            "schema": 1,
            "name": subject.name,
            "window": subject.window,
            "scale": subject.scale,
            "is_demo": subject.is_demo,
            "counts": {**asdict(self.counts), "examples": _lists(self.counts.examples)},
            "levels": {name: asdict(result) for name, result in self.results.items()},
            "interval": {"level": LEVEL, "draws": self.draws, "seed": self.seed},
            "prevalence": self.prevalence,
            "operating": [_plain_kind(kind) for kind in self.kinds],
            "breakdowns": [asdict(one) for one in self.breakdowns],
            "mistakes": [_plain_mistake(one) for one in self.mistakes],
            "robustness": None if self.robustness is None else self.robustness.to_dict(),
            "calibration": subject.calibration.to_dict(),
            "model": dict(subject.model),
            "data": dict(subject.data),
            "notes": list(subject.notes),
            "findings": None
            if subject.findings is None
            else [asdict(finding) for finding in subject.findings],
            "seconds": self.seconds,
        }


def _lists(examples: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {status: list(names) for status, names in examples.items()}


def _plain_kind(kind: KindResult) -> dict[str, Any]:
    thresholds = [
        {**asdict(one), "promised": one.promised and one.promised.model_dump(mode="json")}
        for one in kind.thresholds
    ]
    return {**asdict(kind), "thresholds": thresholds}


def _plain_mistake(one: Mistake) -> dict[str, Any]:
    # Pictures of people are in the page, where they were asked for, and nowhere else.
    return {name: value for name, value in asdict(one).items() if name != "picture"}
