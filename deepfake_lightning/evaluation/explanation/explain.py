"""Explain a picture's or clip's score: the same faces, the same score as ``predict``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.bundle.export import TOLERANCE
from deepfake_lightning.errors import BundleError
from deepfake_lightning.evaluation.explanation.curves import Faithfulness, faithfulness
from deepfake_lightning.evaluation.explanation.heat import HeatMaps
from deepfake_lightning.evaluation.explanation.randomised import STAGES, Randomised, cascade
from deepfake_lightning.evaluation.explanation.record import ExplainedFace, ExplainedItem
from deepfake_lightning.evaluation.explanation.timeline import most_telling, timelines
from deepfake_lightning.inference import Engine
from deepfake_lightning.inference.seeing import Viewer
from deepfake_lightning.inference.sighting import Sighting, sight
from deepfake_lightning.inference.verdicts import calibrated, probability
from deepfake_lightning.media import VIDEO_LIMITS, media_kind, to_input
from deepfake_lightning.metrics import sigmoid
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.schemas.calibration import ItemCalibration

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
"""Told what is done, how many of its steps are done, and how many there are."""


@dataclass(frozen=True)
class Explainer:
    """Explains scores of one detector.

    Attributes:
        engine: which ``predict`` scores with.
        heat: maps of the same detector's network.
        backbone: that network's name.
        faces: of an item that are explained, at most.
        checks: ask whether the maps say anything about the network.
        seed: of random orders and shuffled weights.
    """

    engine: Engine
    heat: HeatMaps
    backbone: str
    faces: int = 8
    checks: bool = True
    seed: int = 0

    def explain(
        self,
        source: Path,
        *,
        already_cropped: bool | None = None,
        progress: Progress = lambda what, done, total: None,
    ) -> ExplainedItem:
        """Explain a picture or clip; one without a face, or unreadable, has an assessment alone.

        Args:
            source: its file.
            already_cropped: as for :meth:`~deepfake_lightning.inference.Engine.assess`.
            progress: told of each step.

        Raises:
            BundleError: the network that is explained gives another score than ``predict``.
        """
        progress("finding faces", 0, 1)
        kind, viewer = media_kind(source), Viewer(self.engine.preprocess)
        sighting = sight(
            viewer, source, kind=kind, limits=VIDEO_LIMITS, already_cropped=already_cropped
        )
        crops = [each.image for each in sighting.seen]
        began = time.perf_counter()
        logits = self.engine.logits(crops)
        network = time.perf_counter() - began
        found = self._concluded(source, sighting, logits, network)
        fitted = self.engine.calibration.of(kind)
        if found.status != "ok":
            return ExplainedItem(found, calibration=fitted)
        inputs = np.stack([to_input(crop, self.engine.preprocess) for crop in crops])
        difference = self._difference(source, sighting, found, logits, inputs)
        tracks = timelines(found.faces, self.engine.preprocess.aggregation.window)
        places = most_telling(tracks, found.faces, self.faces)
        chosen = inputs[places]
        maps = self._maps(chosen, progress)
        checked = self._checked(chosen, maps, fitted, progress)
        faces = tuple(
            ExplainedFace(
                place, _score(found.faces[place].logit, fitted), place in tracks[0].window,
                maps[number], crops[place], checked[number] if checked else None,
            )
            for number, place in enumerate(places)
        )  # fmt: skip
        shuffled: tuple[Randomised, ...] = ()
        if self.checks:
            steps = iter(range(1, len(STAGES) + 1))
            shuffled = cascade(
                self.heat, chosen, maps, seed=self.seed,
                done=lambda: progress("shuffling weights", next(steps), len(STAGES)),
            )  # fmt: skip
        constant = self.heat.constant(maps, logits[places])
        return ExplainedItem(found, tracks, faces, fitted, difference, shuffled, constant)

    def _concluded(
        self, source: Path, sighting: Sighting, logits: Floats, network: float = 0.0
    ) -> Assessment:
        seconds = sum(sighting.seconds.values()) + network
        return self.engine.conclude(
            str(source), sighting, logits.tolist(), seconds=seconds, network=network
        )

    def _difference(
        self, source: Path, sighting: Sighting, found: Assessment, logits: Floats, inputs: Floats
    ) -> float:
        """Return how far the explained network is off, which must be within the tolerance."""
        own = self.heat.logits(inputs)
        again = self._concluded(source, sighting, own)
        assert found.logit is not None and again.logit is not None
        difference = max(float(np.abs(own - logits).max()), abs(again.logit - found.logit))
        if difference > TOLERANCE:
            raise BundleError(
                f"{source}: the network that is explained gives a logit that is {difference:.2g} "
                "off the one of predict",
                why=f"the two have to agree to {TOLERANCE:g}: what would be explained is another "
                "detector",
                next_step="compare them: deepfake-lightning bundle verify FOLDER",
            )
        return difference

    def _maps(self, inputs: Floats, progress: Progress) -> Floats:
        made = []
        for number in range(len(inputs)):
            progress("drawing maps", number, len(inputs))
            made.append(self.heat.maps(inputs[number : number + 1])[0])
        return np.stack(made)

    def _checked(
        self, inputs: Floats, maps: Floats, fitted: ItemCalibration | None, progress: Progress
    ) -> list[tuple[Faithfulness, Faithfulness]]:
        temperature = 1.0 if fitted is None else fitted.temperature

        def score(images: Floats) -> NDArray[np.float64]:
            return sigmoid(self.heat.logits(images) / temperature)

        made = []
        for number in range(len(inputs) if self.checks else 0):
            progress("checking maps", number, len(inputs))
            made.append(faithfulness(inputs[number], maps[number], score, seed=self.seed))
        return made


def _score(logit: float, fitted: ItemCalibration | None) -> float:
    return probability(calibrated(logit, fitted))
