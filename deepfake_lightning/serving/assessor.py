"""What the server asks of a detector; :class:`deepfake_lightning.inference.Engine` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from deepfake_lightning.schemas.assessment import Assessment


class Assessor(Protocol):
    """What the app asks for results: a detector that threads can share."""

    @property
    def version(self) -> str:
        """The detector's version."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the detector's bundle."""
        ...

    @property
    def is_demo(self) -> bool:
        """Whether it was trained on drawn faces, to prove the pipeline."""
        ...

    def assess(
        self, source: bytes | Path, *, name: str | None = None, already_cropped: bool | None = None
    ) -> Assessment:
        """Return what is found out about a picture; damaged ones are ``unreadable``."""
        ...
