"""What comes of the jobs: rows, faces, and what could not be made."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from deepfake_lightning.evaluation.robustness.record import Face, Unmade
from deepfake_lightning.evaluation.robustness.strip import words_of
from deepfake_lightning.evaluation.robustness.worker import Job
from deepfake_lightning.inference.rows import prediction_rows
from deepfake_lightning.inference.tally import Record
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.processes import Lost
from deepfake_lightning.schemas import Assessment


@dataclass
class Gathered:
    """What came of the jobs, by degradation."""

    rows: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    faces: dict[str | None, Face] = field(default_factory=dict)
    lost: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, job: Job, result: Assessment | Face | Lost) -> None:
        """Keep a result: what was lost says something of the machine, not of the detector."""
        key = job.degradation
        if isinstance(result, Face):
            self.faces[key] = result
        elif job.shown or key is None:
            words = words_of(None if key is None else DEGRADATIONS[key])
            self.faces[key] = Face(words, None, "could not be made")
        elif isinstance(result, Lost):
            self.lost[key][str(job.item.known["video_id"])] = result.reason
        else:
            self.rows[key] += prediction_rows(job.item, result.to_dict())

    def unmade(self) -> dict[str, Unmade]:
        """Return what could not be degraded; the reason is that of the first by name."""
        return {key: Unmade(len(self.lost[key]), min(self.lost[key].items())[1])
                for key in DEGRADATIONS if key in self.lost}  # fmt: skip
