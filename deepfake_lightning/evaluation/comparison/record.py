"""The record of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deepfake_lightning.evaluation.comparison.disagreement import Disagreement
from deepfake_lightning.evaluation.comparison.items import CommonItems
from deepfake_lightning.evaluation.comparison.words import sentence
from deepfake_lightning.evaluation.subject import Scale
from deepfake_lightning.metrics import COMPARED, Interval, PairedDifference

HEADLINE = "auroc"
LEVEL = 0.95


@dataclass(frozen=True)
class Detector:
    """One detector of a comparison.

    Attributes:
        name: unique within the comparison.
        scale: of its scores.
        is_demo: it was trained on drawn faces.
        metrics: on the common items, with intervals from the same resamples for all; undefined
            where the scale does not permit them.
        model, data: provenance, plain JSON types.
        notes: on its scores, in sentences.
    """

    name: str
    scale: Scale
    is_demo: bool
    metrics: Mapping[str, Interval]
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """Detector b against detector a.

    Attributes:
        a, b: names.
        differences: b - a by metric; pairs without the first detector have the headline alone.
    """

    a: str
    b: str
    differences: Mapping[str, PairedDifference]

    @property
    def headline(self) -> PairedDifference:
        """The difference of AUROC, on which the verdict rests."""
        return self.differences[HEADLINE]


@dataclass(frozen=True, eq=False)
class Comparison:
    """S detectors on the N items that all of them scored; the first is the baseline.

    Attributes:
        detectors: as given.
        pairs: every other against the first, in order, then the others among themselves.
        items: what was compared, and what was not.
        disagreements: the items on which they are furthest apart, those first.
        apart_by: what a disagreement is, in words.
        notes: what a reader has to know, in sentences.
        draws, seed: of the bootstrap.
    """

    detectors: tuple[Detector, ...]
    pairs: tuple[Pair, ...]
    items: CommonItems
    disagreements: tuple[Disagreement, ...]
    apart_by: str
    notes: tuple[str, ...]
    draws: int
    seed: int

    @property
    def baseline(self) -> Detector:
        """The detector that all others are compared with."""
        return self.detectors[0]

    @property
    def with_baseline(self) -> tuple[Pair, ...]:
        """The pairs that have the first detector, one for every other."""
        return self.pairs[: len(self.detectors) - 1]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what is compared, in order."""
        several = {name for pair in self.with_baseline for name in pair.differences}
        return tuple(name for name in COMPARED if name in several)

    @property
    def counts(self) -> dict[str, int]:
        """How many items, real ones, fakes and groups it rests on."""
        labels = self.items.labels
        fakes = int(labels.sum())
        groups = len(np.unique(self.items.groups))
        return {"items": len(labels), "real": len(labels) - fakes, "fake": fakes, "groups": groups}

    @property
    def tests(self) -> int:
        """How many p-values are corrected together."""
        every = (one for pair in self.pairs for one in pair.differences.values())
        return sum(one.p is not None for one in every)

    def says(self, pair: Pair) -> str:
        """Return the verdict on a pair as a sentence, with what it rests on."""
        return sentence(pair.a, pair.b, pair.headline, self.counts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, without the scores of all items."""
        return {
            "schema": 1,
            "baseline": self.baseline.name,
            **self.counts,
            "detectors": [_plain_detector(one) for one in self.detectors],
            "pairs": [
                {
                    "a": pair.a,
                    "b": pair.b,
                    "verdict": pair.headline.verdict,
                    "on": HEADLINE,
                    "says": self.says(pair),
                    "differences": {k: asdict(v) for k, v in pair.differences.items()},
                }
                for pair in self.pairs
            ],
            "correction": {"method": "holm", "tests": self.tests, "level": LEVEL},
            "bootstrap": {"draws": self.draws, "seed": self.seed},
            "matched_by": list(self.items.matched_by),
            "left_out": [{**asdict(o), "examples": list(o.examples)} for o in self.items.left_out],
            "apart_by": self.apart_by,
            "disagreements": [one.to_dict() for one in self.disagreements],
            "notes": list(self.notes),
        }


def _plain_detector(one: Detector) -> dict[str, Any]:
    return {
        "name": one.name, "scale": one.scale, "is_demo": one.is_demo,
        "metrics": {name: asdict(value) for name, value in one.metrics.items()},
        "model": dict(one.model), "data": dict(one.data), "notes": list(one.notes),
    }  # fmt: skip
