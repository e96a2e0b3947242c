"""A new version beside the one that it started from, on the fixed test split and the new slice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepfake_lightning.data.face_input import input_kind
from deepfake_lightning.errors import DataError
from deepfake_lightning.evaluation.comparison.compare import compare
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.detectors import detector_of_bundle
from deepfake_lightning.evaluation.subjects.scoring import Scoring, score_split
from deepfake_lightning.metrics import PairedDifference
from deepfake_lightning.registry import Registry
from deepfake_lightning.retraining.base import Base
from deepfake_lightning.retraining.judging import judge_version
from deepfake_lightning.retraining.merging import DATA, SLICE, SLICE_SPLIT
from deepfake_lightning.schemas import Manifest, read_manifest

TEST = "test"
Progress = Callable[[str, int, int], None]


def evaluate_pair(
    registry: Registry,
    base: Base,
    version: str,
    folder: Path,
    *,
    margin: float,
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Return what a version is beside its base, as it is kept: ``goes``, ``says``, and figures.

    Args:
        registry: which has both.
        base: what it started from.
        version: the new one.
        folder: of the loop, with the merged data and the new slice.
        margin: of AUROC that it may lose on ``test``.
        workers: processes; None: as many as there are cores.
        progress: told what is done, how much of it, and how much there is.

    Raises:
        DataError: media are gone, or people of a split were trained on.
        BundleError: one of the versions is damaged.
        StorageError: the disk refuses.
    """
    data = read_manifest(folder / DATA)
    cropped = True if input_kind(data, base.data.get("face") or "auto") == "crop" else None
    found: dict[str, PairedDifference | None] = {}
    for name, path, split in (("test", DATA, TEST), ("new", SLICE, SLICE_SPLIT)):
        manifest = data if path == DATA else read_manifest(folder / path)
        found[name] = None
        if _both_classes(manifest, split):
            both = [_scored(registry, one, folder / path, split, cropped, workers, progress)
                    for one in (base.version, version)]  # fmt: skip
            found[name] = _difference(both)
    judged = judge_version(found["test"], found["new"], margin)
    figures = {name: None if one is None else asdict(one) for name, one in found.items()}
    return {"goes": judged.goes, "says": list(judged.says), **figures}


def _both_classes(manifest: Manifest, split: str) -> bool:
    rows = manifest.rows[(manifest.rows["split"] == split).fillna(False) & manifest.usable()]
    return set(rows["label"].dropna()) == {0, 1}


def _scored(
    registry: Registry, version: str, data: Path, split: str, cropped: bool | None,
    workers: int | None, progress: Progress,
) -> Subject:  # fmt: skip
    state: dict[str, Any] = {"what": "", "done": 0, "total": 0}

    def begin(what: str, total: int) -> None:
        state.update(what=f"{version}: {what}", done=0, total=total)
        progress(state["what"], 0, total)

    def advance(_: object) -> None:
        state["done"] += 1
        progress(state["what"], state["done"], state["total"])

    entry = registry.get(version)
    detector = detector_of_bundle(registry.folder(version), likely=registry.run_of(entry))
    return score_split(
        detector, workspace=registry.workspace, data=str(data), split=split, command="retrain",
        how=Scoring(workers, already_cropped=cropped, audited=False, phase=begin, progress=advance),
    )  # fmt: skip


def _difference(both: list[Subject]) -> PairedDifference | None:
    try:
        return compare(both).pairs[0].headline
    except DataError:  # nothing that both could score
        return None
