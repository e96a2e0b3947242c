"""What a command line names, as what is measured: a version, a bundle, a report, a table, ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.robustness.plan import Plan
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.attributes import with_attributes
from deepfake_lightning.evaluation.subjects.peers import PeerColumns
from deepfake_lightning.evaluation.subjects.score_tables import (
    PREDICTIONS,
    REPORT,
    subject_of_report,
    subject_of_table,
)
from deepfake_lightning.evaluation.subjects.versions import (
    all_runs,
    best_checkpoint,
    near_names,
    run_named,
)
from deepfake_lightning.inference.opening import RuntimeName
from deepfake_lightning.registry import Registry
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.storage import RUN_CONFIG, Workspace

Kind = Literal["bundle", "checkpoint", "report", "table"]
_TABLES = (".csv", ".parquet", ".json")
_OF_BUNDLE = ("bundle.json", "SHA256SUMS")


@dataclass(frozen=True)
class Target:
    """What a name stands for.

    Attributes:
        kind: ``bundle`` and ``checkpoint`` are scored, ``report`` and ``table`` have scores.
        path: the folder or file.
        run: the training's folder, where the name was a run's.
        likely_run: where the training of a registered version was.
        digest: what the bundle of a registered version has to have.
    """

    kind: Kind
    path: Path
    run: Path | None = None
    likely_run: Path | None = None
    digest: str | None = None

    @property
    def is_scored(self) -> bool:
        """Whether it is a detector, to be scored on data; else its scores are there already."""
        return self.kind in ("bundle", "checkpoint")


def find_target(target: str, workspace: Workspace) -> Target:
    """Return what a name stands for: what is on disk comes first, then registered versions, by
    name or by the environment that they serve, then trainings of the workspace.

    Raises:
        UsageError: nothing, or several things, are called so.
        CheckpointError: it is a training without a checkpoint.
        RegistryError: the registry is damaged.
    """
    path = Path(target)
    try:
        found, is_there = (_on_disk(path), path.exists()) if target else (None, False)
    except (OSError, ValueError):  # no name that anything could have
        found, is_there = None, False
    if found is not None:
        return found
    registry = Registry(workspace)
    entry = registry.find(target)
    if entry is not None:
        folder, run = registry.folder(entry.version), registry.run_of(entry)
        return Target("bundle", folder, likely_run=run, digest=entry.digest)
    runs = all_runs(workspace)
    run = run_named(target, runs)
    if run is not None:
        return Target("checkpoint", best_checkpoint(run), run)
    if registry.is_name(target) and registry.index().known():
        registry.get(target)  # which says what there is, and what has become of it
    near = [*near_names(target, runs), *_near_files(path)]
    listed = ", ".join(runs) if len(runs) <= 5 else f"{len(runs)} of them"
    there = f"{target} is there, and neither" if is_there else f"{target!r} is neither"
    raise UsageError(
        f"{there} a detector nor scores" + (f": is {' or '.join(near)} meant?" if near else ""),
        why="it is no bundle, checkpoint (.ckpt), training, table of scores (.csv, .parquet, "
        ".json) or report of an evaluation; and no version in "
        f"{workspace.runs} (there: {listed or 'none'})",
        next_step="media are named with --data, and the detector first"
        if is_there
        else "name one of these",
    )


def _near_files(path: Path) -> list[str]:
    try:
        names = [each.name for each in path.parent.iterdir() if not path.exists()]
    except (OSError, ValueError):  # there is no such folder
        return []
    return [str(path.with_name(name)) for name in get_close_matches(path.name, names, n=2)]


def _on_disk(path: Path) -> Target | None:
    if path.is_dir():
        if any((path / name).is_file() for name in _OF_BUNDLE):
            return Target("bundle", path)
        if (path / RUN_CONFIG).is_file():
            return Target("checkpoint", best_checkpoint(path), path)
        if (path / PREDICTIONS).is_file():
            has_record = (path / REPORT).is_file()
            return Target("report", path) if has_record else Target("table", path / PREDICTIONS)
        return None
    if not path.is_file():
        return None
    if path.suffix.lower() == ".ckpt":
        return Target("checkpoint", path)
    beside = (path.parent / PREDICTIONS).is_file() and (path.parent / REPORT).is_file()
    if path.name in (PREDICTIONS, REPORT) and beside:
        return Target("report", path.parent)  # which knows how the scores were calibrated
    return Target("table", path) if path.suffix.lower() in _TABLES else None


def subject_of(
    target: str,
    *,
    workspace: Workspace,
    data: str | None = None,
    split: str = "test",
    columns: PeerColumns | None = None,
    runtime: RuntimeName = "auto",
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    workers: int | None = None,
    already_cropped: bool | None = None,
    attributes: str | None = None,
    run: str | None = None,
    robustness: Plan | None = None,
    phase: Callable[[str, int], None] = lambda what, number: None,
    progress: Callable[[Assessment | None], None] = lambda found: None,
    command: str = "evaluate",
) -> Subject:
    """Return the scores of what is named; a detector is scored on a split first.

    Data, split and how a detector is run have no part in scores that are there already.

    Args:
        target: the folder of a bundle, a checkpoint, a training's folder, a registered version or
            the environment that it serves, a training of the workspace (``<experiment>/<version>``,
            or ``<version>`` where one experiment has it: its best checkpoint), a table of scores,
            or the folder of an evaluation's report.
        workspace: where versions are, and where looks at the test and gate splits are counted.
        data: a folder, an index or a manifest; None: the data of the detector's training.
        split: of the data.
        columns: of tables of other detectors.
        runtime: of a bundle.
        device: ``cpu``, ``cuda``, ...
        precision: of PyTorch.
        workers: processes; None: as many as there are cores.
        already_cropped: see :class:`~deepfake_lightning.evaluation.subjects.scoring.Scoring`.
        attributes: a table with more that is known of items, see
            :func:`~deepfake_lightning.evaluation.subjects.attributes.with_attributes`.
        run: the training's folder, of a bundle or checkpoint that does not lie in it.
        robustness: which items of a detector's data are scored under degradations as well.
        phase: is told what is done, and of how many.
        progress: is told of each item.
        command: what the ledger of looks calls this.

    Raises:
        DeepfakeLightningError: nothing is called so, or what is cannot be read or scored.
    """
    found = find_target(target, workspace)
    if found.kind == "table":
        subject = subject_of_table(found.path, columns)
    elif found.kind == "report":
        subject = subject_of_report(found.path)
    else:
        # What is there already is read without what scores.
        from deepfake_lightning.evaluation.subjects.detectors import (
            detector_of_bundle,
            detector_of_checkpoint,
        )
        from deepfake_lightning.evaluation.subjects.scoring import Scoring, score_split
        from deepfake_lightning.inference.opening import EngineSource

        path = found.path
        is_bundle = found.kind == "bundle"
        source = EngineSource(
            path if is_bundle else None, None if is_bundle else path, runtime, device, precision,
            digest=found.digest,
        )  # fmt: skip
        trained_in = Path(run) if run else found.run
        if is_bundle:
            detector = detector_of_bundle(path, trained_in, source, likely=found.likely_run)
        else:
            detector = detector_of_checkpoint(path, trained_in, source)
        subject = score_split(
            detector, workspace=workspace, data=data, split=split, command=command,
            how=Scoring(
                workers, already_cropped=already_cropped, robustness=robustness, phase=phase,
                progress=progress,
            ),
        )  # fmt: skip
    return with_attributes(subject, Path(attributes)) if attributes else subject
