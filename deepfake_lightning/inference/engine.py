"""The engine: media -> faces and tracks -> batches -> logits -> the item's score -> a verdict."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import BundleError, MediaError
from deepfake_lightning.inference.runtime import Runtime
from deepfake_lightning.inference.seeing import Look, Progress, Seen, Viewer
from deepfake_lightning.inference.sighting import Sighting
from deepfake_lightning.inference.stages import Stage, StageClock
from deepfake_lightning.inference.verdicts import calibrated, probability, verdict
from deepfake_lightning.media import VIDEO_LIMITS, Limits, media_kind, to_input
from deepfake_lightning.media.degradations import Alter
from deepfake_lightning.media.images import MAX_PIXELS
from deepfake_lightning.media.quality import quality
from deepfake_lightning.metrics import item_scores
from deepfake_lightning.schemas import (
    Assessment,
    Calibration,
    Examined,
    Preprocess,
    ScoredFace,
    ScoredTrack,
)
from deepfake_lightning.schemas.assessment import Status
from deepfake_lightning.schemas.calibration import KINDS, NOUNS, MediaType, promise

BATCH = 32
"""Faces in one run of the network, at most."""


@dataclass(frozen=True)
class FramePicture:
    """A picture that is a frame of a clip, or a face in a clip or picture, as manifests list them.

    Attributes:
        path: its file.
        track, frame, timestamp_ms: as the manifest says; None where it does not.
    """

    path: Path
    track: int | None = None
    frame: int | None = None
    timestamp_ms: int | None = None


class Engine:
    """Scores pictures and clips; the same media give the same result, from any thread.

    Args:
        runtime: runs the network.
        preprocess: from media to the network's input.
        calibration: from an item's logit to a verdict.
        version: of the detector.
        digest: the bundle's, or the SHA-256 of the checkpoint.
        is_demo: the detector has been trained on drawn faces.
        limits: of one clip.
        max_pixels: of one picture.
    """

    def __init__(
        self,
        runtime: Runtime,
        preprocess: Preprocess,
        calibration: Calibration,
        *,
        version: str,
        digest: str,
        is_demo: bool = False,
        limits: Limits = VIDEO_LIMITS,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.runtime = runtime
        self.preprocess = preprocess
        self.calibration = calibration
        self._promises = {kind: promise(calibration.of(kind), NOUNS[kind]) for kind in KINDS}
        self.version = version
        self.digest = digest
        self.is_demo = is_demo
        self._limits = limits
        self._max_pixels = max_pixels
        self._own = threading.local()  # a face detector serves one thread

    def assess(
        self,
        source: Path | bytes,
        *,
        name: str | None = None,
        media_type: MediaType | None = None,
        already_cropped: bool | None = None,
        stages: StageClock | None = None,
        progress: Progress | None = None,
        alter: Alter | None = None,
    ) -> Assessment:
        """Assess a picture or a clip.

        Media that cannot be read, or show no face, are results and not errors.

        Args:
            source: its file, or its bytes.
            name: what the result calls it; None: the path, or ``the upload``.
            media_type: None: told by the file's suffix, or by its first bytes.
            already_cropped: it shows one face that has been cut out, and is scored as it is. None:
                pictures are taken for that where the bundle's ``input`` is ``crop``, if there is
                a face in them.
            stages: a new clock, to be read when this is done.
            progress: told of each frame of a clip.
            alter: changes what was decoded, before faces are looked for: how a detector stands
                degraded media is measured so.
        """
        title = name or (str(source) if isinstance(source, Path) else "the upload")
        kind = media_type or media_kind(source)
        look = Look(stages=stages or StageClock(), progress=progress, alter=alter)
        viewer = self._viewer()
        if kind == "video":
            seen = viewer.clip(source, look, self._limits, already_cropped is True)
        else:
            seen = viewer.picture(source, look, already_cropped, self._max_pixels)
        return self._assess(title, kind, seen, look)

    def assess_frames(
        self,
        pictures: Sequence[FramePicture],
        *,
        name: str,
        media_type: MediaType = "video",
        already_cropped: bool | None = None,
        stages: StageClock | None = None,
        alter: Alter | None = None,
    ) -> Assessment:
        """Assess a clip of which there are pictures: one item, scored together.

        Or a picture (``media_type``) of which there are the faces. Pictures that cannot be read are
        noted; where none can be, the item cannot.
        """
        look = Look(stages=stages or StageClock(), alter=alter)
        seen = self._frames(pictures, look, already_cropped)
        return self._assess(name, media_type, seen, look)

    def without_score(
        self, name: str, kind: MediaType | None, status: Status, reason: str
    ) -> Assessment:
        """Return the assessment of an item in which there was nothing to score."""
        return Assessment(
            name, status, self.version, kind, reason=reason, verdict="not_assessable",
            bundle=self.digest, demo=self.is_demo,
        )  # fmt: skip

    def logits(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the logit of each face crop (uint8 [H, W, 3], RGB), float32 [N]."""
        parts = [crops[at : at + BATCH] for at in range(0, len(crops), BATCH)]
        found = [self.runtime.run(self._inputs(part))[0] for part in parts]
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def outputs(
        self, crops: Sequence[NDArray[np.uint8]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits [N] and features [N, F] of face crops, in one run of the network."""
        return self.runtime.run(self._inputs(crops))

    def _viewer(self) -> Viewer:
        viewer: Viewer | None = getattr(self._own, "viewer", None)
        if viewer is None:
            viewer = self._own.viewer = Viewer(self.preprocess)
        return viewer

    def _frames(
        self, pictures: Sequence[FramePicture], look: Look, already_cropped: bool | None
    ) -> Iterator[Seen]:
        viewer, faults = self._viewer(), []
        for number, picture in enumerate(pictures):
            try:
                for seen in viewer.picture(picture.path, look, already_cropped, number=number):
                    yield seen.in_clip(number, picture.track, picture.frame, picture.timestamp_ms)
            except MediaError as error:
                faults.append(error)
        if faults and len(faults) == len(pictures):
            raise faults[0]
        if faults:
            look.note(f"{len(faults)} of {len(pictures)} pictures cannot be read")

    def conclude(
        self,
        name: str,
        sighting: Sighting,
        logits: Sequence[float],
        *,
        seconds: float,
        network: float,
    ) -> Assessment:
        """Return the assessment of what was seen and scored elsewhere; :meth:`assess` equals it.

        Args:
            name: what the result calls the item.
            sighting: of the item, with this engine's preprocessing.
            logits: of its faces, in order.
            seconds: that all of it took.
            network: of these, for the network.

        Raises:
            BundleError: a logit is not a finite number.
        """
        faces = self._faces(sighting.seen, logits)
        times = _times(seconds, {**sighting.seconds, "network": network})
        if sighting.fault is not None:
            found = self.without_score(name, sighting.kind, "unreadable", sighting.fault)
            return replace(found, milliseconds=times)
        return self._concluded(
            name, sighting.kind, faces, sighting.quality, times, sighting.no_face,
            sighting.notes, sighting.examined,
        )  # fmt: skip

    def _assess(self, name: str, kind: MediaType, seen: Iterable[Seen], look: Look) -> Assessment:
        started = time.perf_counter()
        try:
            faces, qualities = self._score(seen, look.stages)
        except MediaError as error:
            found = self.without_score(name, kind, "unreadable", error.what)
            times = _times(time.perf_counter() - started, look.stages.seconds)
            return replace(found, milliseconds=times)
        times = _times(time.perf_counter() - started, look.stages.seconds)
        return self._concluded(
            name, kind, faces, qualities, times, look.no_face, tuple(look.notes), look.examined
        )

    def _concluded(
        self,
        name: str,
        kind: MediaType,
        faces: Sequence[ScoredFace],
        qualities: Mapping[str, float],
        times: dict[str, float],
        no_face: str,
        notes: tuple[str, ...],
        examined: Examined | None,
    ) -> Assessment:
        if not faces:
            found = self.without_score(name, kind, "no_face", no_face)
            return replace(found, notes=notes, examined=examined, milliseconds=times)
        tracks = self._tracks(faces)
        logit = max(track.logit for track in tracks)
        fitted = self.calibration.of(kind)
        return Assessment(
            name, "ok", self.version, kind,
            notes=notes,
            logit=logit,
            score=probability(calibrated(logit, fitted)),
            calibrated=fitted is not None,
            verdict=verdict(logit, fitted),
            guarantee=self._promises[kind],
            tracks=tracks,
            faces=tuple(faces),
            examined=examined,
            quality=dict(qualities),
            milliseconds=times,
            bundle=self.digest,
            demo=self.is_demo,
        )  # fmt: skip

    def _score(
        self, seen: Iterable[Seen], stages: StageClock
    ) -> tuple[list[ScoredFace], dict[str, float]]:
        """Return the scored faces, and the mean of each image-quality feature over them."""
        faces: list[ScoredFace] = []
        totals: dict[str, float] = {}
        seen = iter(seen)
        while batch := list(islice(seen, BATCH)):
            inputs = self._inputs([each.image for each in batch])
            with stages.stage("network"):
                logits, _ = self.runtime.run(inputs)
            faces += self._faces(batch, logits.tolist())
            for each in batch:
                for key, value in quality(each.image).items():
                    totals[key] = totals.get(key, 0.0) + value
        return faces, {key: total / len(faces) for key, total in totals.items()}

    def _faces(self, seen: Sequence[Seen], logits: Sequence[float]) -> list[ScoredFace]:
        if not all(map(math.isfinite, logits)):
            raise BundleError(
                f"{self.version} gives a score that is not a number",
                why="its weights are damaged, or its numbers overflow",
                next_step="use another version",
            )
        return [
            ScoredFace(logit, at.track, at.frame, at.timestamp_ms, at.box, at.picture)
            for at, logit in zip(seen, logits, strict=True)
        ]

    def _inputs(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.stack([to_input(crop, self.preprocess) for crop in crops])

    def _tracks(self, faces: Sequence[ScoredFace]) -> tuple[ScoredTrack, ...]:
        if len(faces) == 1:  # most requests to a server: there is nothing to find the mean of
            return (ScoredTrack(faces[0].track, faces[0].logit, 1),)
        tracks = np.array([-1 if face.track is None else face.track for face in faces])
        frames = np.array([-1 if face.frame is None else face.frame for face in faces])
        logits = np.array([face.logit for face in faces])
        window = self.preprocess.aggregation.window
        # The tracks as items: each has one track, and so its score is the track's.
        names, scores = item_scores(logits, tracks, np.zeros_like(tracks), frames, window)
        counts = np.unique(tracks, return_counts=True)[1]
        return tuple(
            ScoredTrack(None if name < 0 else int(name), float(score), int(count))
            for name, score, count in zip(names, scores, counts, strict=True)
        )


def _times(total: float, stages: Mapping[Stage, float]) -> dict[str, float]:
    parts: dict[str, float] = {str(name): seconds for name, seconds in stages.items()}
    times = {"media": total - parts.get("network", 0.0), **parts, "total": total}
    return {name: round(1000 * seconds, 3) for name, seconds in times.items()}
