"""What an explanation is made of, as records that JSON and the page are written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.evaluation.explanation.curves import Faithfulness, Kind
from deepfake_lightning.evaluation.explanation.heat import Method
from deepfake_lightning.evaluation.explanation.randomised import Randomised
from deepfake_lightning.evaluation.explanation.timeline import TrackTimeline
from deepfake_lightning.evaluation.explanation.words import MEANING
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.schemas.calibration import ItemCalibration

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ExplainedFace:
    """A face and what moved its score.

    Attributes:
        place: in the assessment's list of faces.
        score: of this face alone, in [0, 1].
        decided: it is in the window that decided the item's score.
        heat: float32 [G, G], natural log-odds: above 0 raises the score, below lowers it.
        crop: what the network was shown, uint8 [S, S, 3], RGB.
        checks: deletion and insertion; None where they were not asked for.
    """

    place: int
    score: float
    decided: bool
    heat: Floats = field(repr=False)
    crop: NDArray[np.uint8] = field(repr=False)
    checks: tuple[Faithfulness, Faithfulness] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, without the picture."""
        heat = [[round(float(value), 5) for value in row] for row in self.heat]
        checks = {one.kind: asdict(one) for one in self.checks} if self.checks else None
        return {"place": self.place, "score": self.score, "decided": self.decided, "heat": heat,
                "checks": checks}  # fmt: skip


@dataclass(frozen=True)
class ExplainedItem:
    """A picture or clip.

    Attributes:
        found: its assessment, as ``predict`` makes it.
        tracks: which frames decided, the deciding track first; empty without a score.
        faces: those that were explained, by track and frame.
        calibration: of this kind of media.
        difference: of a face's logit here and in ``predict``, at most.
        randomised: shuffled weights; empty where that was not asked for.
        constant: log-odds, what the fields of each of its maps and this add up to is the face's
            logit; None where they do not add up.
    """

    found: Assessment
    tracks: tuple[TrackTimeline, ...] = ()
    faces: tuple[ExplainedFace, ...] = ()
    calibration: ItemCalibration | None = None
    difference: float = 0.0
    randomised: tuple[Randomised, ...] = ()
    constant: float | None = None

    @property
    def limit(self) -> float:
        """The largest value of its maps, either way: the end of their scale."""
        return max((float(np.abs(face.heat).max()) for face in self.faces), default=0.0)

    def sum_of(self, face: ExplainedFace) -> float | None:
        """Return the sum of a map's fields, log-odds, where it is a part of the logit."""
        return None if self.constant is None else round(float(face.heat.sum()), 5)

    def checks(self, kind: Kind) -> list[Faithfulness]:
        """Return one of the curves of each face."""
        return [one for face in self.faces for one in face.checks or () if one.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "assessment": self.found.to_dict(),
            "tracks": [{**asdict(track), "window": track.window} for track in self.tracks],
            "faces": [{**face.to_dict(), "sum": self.sum_of(face)} for face in self.faces],
            "constant": self.constant,
            "largest_difference_to_predict": self.difference,
            "randomised_weights": [asdict(one) for one in self.randomised],
        }


@dataclass(frozen=True)
class Explanation:
    """Why some pictures and clips have the scores they have.

    Attributes:
        version: of the detector.
        backbone: its network.
        method: of the maps.
        grid: fields on a side of a map.
        size: side of the network's input, pixels.
        is_demo: the detector was trained on drawn faces.
        items: what was asked about, in that order.
    """

    version: str
    backbone: str
    method: Method
    grid: int
    size: int
    is_demo: bool
    items: Sequence[ExplainedItem]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, with what it does not say."""
        return {
            "schema": 1,
            "meaning": MEANING,
            "version": self.version,
            "backbone": self.backbone,
            "method": self.method,
            "grid": self.grid,
            "size": self.size,
            "demo": self.is_demo,
            "items": [item.to_dict() for item in self.items],
        }
