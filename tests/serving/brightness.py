"""A detector that is small and real: it decodes, and scores how bright a picture is."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import read_image
from deepfake_lightning.schemas.assessment import Assessment, ScoredFace, ScoredTrack

FAULTY_WIDTH = 13


class Brightness:
    """Stands for any detector: bright pictures are fake, black ones have no face.

    A picture 13 pixels wide makes it fail, as a fault of its own would. ``may_go`` holds all
    requests while it is not set, and ``at_once`` is how many were scored at a time, at most.
    """

    version = "v0.0.1"
    digest = "ab" * 32

    def __init__(self, is_demo: bool = False) -> None:
        self.is_demo = is_demo
        self.may_go = threading.Event()
        self.may_go.set()
        self.at_once = self._now = 0
        self._lock = threading.Lock()

    def assess(
        self, source: bytes | Path, *, name: str | None = None, already_cropped: bool | None = None
    ) -> Assessment:
        with self._lock:
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        try:
            assert self.may_go.wait(20)
            found = self._assess(source, name or "upload", already_cropped)
            return replace(found, demo=self.is_demo, bundle=self.digest)
        finally:
            with self._lock:
                self._now -= 1

    def _assess(self, source: bytes | Path, name: str, already_cropped: bool | None) -> Assessment:
        try:
            image = read_image(source)
        except MediaError as error:
            return Assessment(name, "unreadable", self.version, reason=error.what)
        if image.shape[1] == FAULTY_WIDTH:
            raise ZeroDivisionError("secret detail")
        if image.max() == 0:
            return Assessment(
                name, "no_face", self.version, "image", "no face", verdict="not_assessable"
            )
        logit = float(image.mean()) / 64 - 2
        box = None if already_cropped else (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
        return Assessment(
            name=name,
            status="ok",
            version=self.version,
            media_type="image",
            logit=logit,
            score=1 / (1 + math.exp(-logit)),
            calibrated=True,
            verdict="manipulation_indicated" if logit > 0 else "no_indication",
            tracks=(ScoredTrack(None, logit, 1),),
            faces=(ScoredFace(logit, box=box),),
            milliseconds={"media": 1.5, "network": 0.25, "total": 2.0},
        )
