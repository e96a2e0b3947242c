"""The records of robustness: scores of degraded items, and what was measured with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from deepfake_lightning.metrics import Interval


@dataclass(frozen=True)
class Face:
    """What the network is shown of one item under one degradation.

    Attributes:
        words: which degradation.
        picture: JPEG; None where there is none.
        missing: why there is none.
    """

    words: str
    picture: bytes | None
    missing: Literal["no face", "unreadable", "could not be made"] = "no face"


@dataclass(frozen=True)
class Unmade:
    """Items that could not be degraded: that says nothing of the detector.

    Attributes:
        items: how many.
        reason: of the first, in the order of the items.
    """

    items: int
    reason: str


@dataclass(frozen=True, eq=False)
class DegradedScores:
    """Items scored under degradations.

    Attributes:
        rows: one an item and degradation that it can undergo: ``degradation`` (a key of
            :data:`~deepfake_lightning.media.degradations.DEGRADATIONS`), ``video_id``, ``status``,
            ``logit`` (NaN without a score). What could not be degraded is not among them.
        items: names of the items, as drawn.
        of: out of how many they were drawn.
        places: what the degradations were applied to (``clip``, ``picture``, ``crop``) -> items.
        seed: of the drawing and of the degradations.
        faces: of one example, where pictures were asked for.
        example: its name; None without.
        unmade: degradation -> items that could not undergo it, where there are any.
        already_cropped: as the items were scored; None: as the detector takes them.
    """

    rows: pd.DataFrame
    items: tuple[str, ...]
    of: int
    places: Mapping[str, int]
    seed: int
    faces: tuple[Face, ...] = ()
    example: str | None = None
    unmade: Mapping[str, Unmade] = field(default_factory=dict)
    already_cropped: bool | None = None


@dataclass(frozen=True)
class Change:
    """A rate on the same items, clean and degraded.

    Attributes:
        clean: its value on the items that still have a score, clean.
        degraded: on them, degraded.
        difference: degraded less clean, of the paired items.
    """

    clean: float | None
    degraded: Interval
    difference: Interval


@dataclass(frozen=True)
class DegradedResult:
    """What one degradation does.

    Attributes:
        key, family, words: of :class:`~deepfake_lightning.media.degradations.Degradation`.
        items: that underwent it; all had a score before.
        real, fake: of them, those that still have one.
        no_face, unreadable: of them, the others.
        unscored: share of the others.
        auroc: of the scores.
        false_alarms: share of the reals called manipulated at the deployed threshold.
        missed: share of the fakes that are not.
        reals, fakes: of the items, those of each class.
        unmade: further items, that could not be degraded.
    """

    key: str
    family: str
    words: str
    items: int
    real: int
    fake: int
    no_face: int
    unreadable: int
    unscored: Interval
    auroc: Change
    false_alarms: Change
    missed: Change
    reals: int
    fakes: int
    unmade: int = 0

    @property
    def is_gone(self) -> bool:
        """Whether most of a class has no score any more: rates are those of what is left."""
        return 2 * self.real < self.reals or 2 * self.fake < self.fakes

    @property
    def mistakes(self) -> tuple[str, Change] | None:
        """The one rate of items that are all real or all fake, and its name; None with both."""
        if self.reals and self.fakes:
            return None
        return ("false alarms", self.false_alarms) if self.reals else ("missed fakes", self.missed)

    @property
    def lost(self) -> float | None:
        """AUROC lost; None where nothing is left to rank, or nothing was."""
        value = self.auroc.difference.value
        return None if value is None else -value


@dataclass(frozen=True, eq=False)
class Robustness:
    """How a detector stands degradations.

    Attributes:
        results: the worst first: where most of a class has no score any more, then by the AUROC
            lost; of one class alone by the false alarms or misses that it adds.
        real, fake: items that were drawn, all with a clean score.
        groups, real_groups, fake_groups: of people, among them, and among those of each class.
        of: items they were drawn from.
        places: see :class:`DegradedScores`.
        auroc, false_alarms, missed: of the drawn items, clean.
        decides: whether there is a threshold at all: scores that only rank have none.
        calibrated: kinds of media (``image``, ``video``) among the drawn whose threshold is that
            of the calibration; others are decided at probability 0.5.
        kinds: kinds of media among the drawn.
        seed: see :class:`DegradedScores`.
        faces, example, unmade, already_cropped: see :class:`DegradedScores`.
    """

    results: tuple[DegradedResult, ...]
    real: int
    fake: int
    groups: int
    real_groups: int
    fake_groups: int
    of: int
    places: Mapping[str, int]
    auroc: Interval
    false_alarms: Interval
    missed: Interval
    decides: bool
    calibrated: tuple[str, ...]
    kinds: tuple[str, ...]
    seed: int
    faces: tuple[Face, ...] = field(default=(), repr=False)
    example: str | None = None
    unmade: Mapping[str, Unmade] = field(default_factory=dict)
    already_cropped: bool | None = None

    @property
    def worst(self) -> DegradedResult | None:
        """The degradation that costs most; None without any."""
        return self.results[0] if self.results else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, None where undefined; without pictures."""
        record = {name: value for name, value in asdict(self).items()
                  if name not in ("faces", "example")}  # fmt: skip
        # Pictures of people are in the page, where they were asked for, and nowhere else.
        return {**record, "places": dict(self.places)}
