"""What a worker of a sweep is told, and how it says how it ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepfake_lightning.storage import Workspace

# Exit codes.
DONE, WRONG, INTERRUPTED = 0, 3, 130


@dataclass(frozen=True)
class Job:
    """What a worker is told.

    Attributes:
        name: of the worker, a new one for each process.
        place: which of the workers it stands for, from 0.
        sweep: the sweep's fields.
        settings: what the base says of the keys in the space, and of where it is trained.
        workspace: its root.
        seconds: after which it takes no further trial; None: none.
    """

    name: str
    place: int
    sweep: dict[str, Any]
    settings: dict[str, Any]
    workspace: str
    seconds: float | None = None

    def to_json(self) -> str:
        """Return it for the worker's standard input."""
        return json.dumps(asdict(self))

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return Workspace(Path(self.workspace)).tuning / str(self.sweep["study"])

    @property
    def error_file(self) -> Path:
        """Where a worker that gives up says why."""
        return self.folder / "workers" / f"{self.name}.json"
