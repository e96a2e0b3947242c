"""A loop's training: as the version that serves was trained, on the merged data, in a process of
its own, from its last checkpoint where it was interrupted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.retraining.base import Base
from deepfake_lightning.retraining.policy import Train
from deepfake_lightning.retraining.trainer_job import LOG, PATIENCE_SECONDS, Job, guard_of
from deepfake_lightning.retraining.trainer_job import run as run_job
from deepfake_lightning.retraining.work import Progress
from deepfake_lightning.storage import RUN_RECORD, Workspace, atomic_write, lock

CONFIG = "fit.yaml"
_RATIO = "data.blending.ratio"


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        run: its folder.
        checkpoint: the one that ``val`` has chosen.
        status, stop_reason, epochs, monitor, best_score: as in its ``run.json``.
        warm_start: whether it began with the weights of the version that serves.
    """

    run: Path
    checkpoint: Path
    status: str
    stop_reason: str
    epochs: int
    monitor: str | None
    best_score: float | None
    warm_start: bool


def configuration(
    base: Base, how: Train, data: Path, workspace: Workspace, name: str, new_fakes: int = 0
) -> str:
    """Return what is trained, as YAML for ``fit``: the base's training with other data.

    Args:
        base: what it starts from.
        how: flags that differ.
        data: the merged manifest.
        workspace: where it goes.
        name: of its folder.
        new_fakes: among the new items that are to be trained on.

    Raises:
        UsageError: it would leave the new fakes out, and nobody has said so.
    """
    config = json.loads(json.dumps(base.config, default=str))
    for key in ("ckpt_path", "weights_only"):
        config.pop(key, None)
    config |= {"experiment": base.run.parent.name, "version": name, "report": False,
               "register": False, "keep_last": True,
               "workspace": str(workspace.root.resolve())}  # fmt: skip
    config["data"] = {**(config.get("data") or {}), "root": str(data.resolve()), "resplit": False}
    for flag, value in how.flags.items():
        place = config
        *groups, last = flag.split(".")
        for group in groups:
            if not isinstance(place.get(group), dict):
                place[group] = {}
            place = place[group]
        place[last] = value
    if _RATIO not in how.flags:
        _check_fakes(base, config["data"].get("blending"), new_fakes)
    return yaml.safe_dump(config, sort_keys=False)


def _check_fakes(base: Base, blending: Mapping[str, Any] | None, new_fakes: int) -> None:
    """Refuse to leave out what was reviewed: fakes that are made of real faces are all it uses."""
    if new_fakes and blending is not None and not blending.get("ratio"):
        raise UsageError(
            f"{new_fakes:,} new items are fakes, and the training of {base.version} uses none",
            why="data.blending.ratio is 0: it is shown real faces, and fakes made of them alone",
            next_step=f"set {_RATIO} in train.flags of retraining/policy/retrain.yaml (as "
            f"configs/retrain.yaml), e.g. train: {{flags: {{{_RATIO}: 1.0}}}}; 0 leaves them out",
        )


def train(
    base: Base,
    how: Train,
    data: Path,
    folder: Path,
    workspace: Workspace,
    name: str,
    *,
    new_fakes: int = 0,
    environ: Mapping[str, str] | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Trained:
    """Train, or go on with what was interrupted; what is done already is not done again.

    Args:
        base: what it starts from.
        how: with which weights, and flags that differ.
        data: the merged manifest.
        folder: of the loop: configuration and log.
        workspace: where the training's folder goes.
        name: of that folder.
        new_fakes: among the new items that are to be trained on.
        environ: variables that the process has beside those of this one.
        progress: told what is done, how much of it, and how much there is.

    Raises:
        KeyboardInterrupt: somebody ended it; it has saved what there is.
        DeepfakeLightningError: what stopped it.
        StorageError: its process died.
    """
    run = workspace.runs / base.run.parent.name / name
    with lock(Path(guard_of(folder)), timeout=PATIENCE_SECONDS):
        pass  # the process of a loop that was killed ends a moment later
    found = _trained(run, how)
    if found is not None:
        return found
    args = _arguments(base, how, data, folder, workspace, run, new_fakes)
    run_job(Job.of(args, _warm(base, how), folder), folder, environ or {}, progress)
    found = _trained(run, how)
    if found is None:
        raise StorageError(
            f"the training in {run} has left no checkpoint that a metric has chosen",
            next_step=f"look at {folder / LOG}",
        )
    return found


def _arguments(
    base: Base,
    how: Train,
    data: Path,
    folder: Path,
    workspace: Workspace,
    run: Path,
    new_fakes: int,
) -> list[str]:
    last = run / "checkpoints" / "last.ckpt"
    if last.is_file():
        return ["--ckpt_path", str(last)]
    asked = configuration(base, how, data, workspace, run.name, new_fakes)
    shutil.rmtree(run, ignore_errors=True)  # interrupted before there was a checkpoint
    with atomic_write(folder / CONFIG, "w") as file:
        file.write(asked)
    return ["--config", str(folder / CONFIG)]


def _warm(base: Base, how: Train) -> str | None:
    if not how.warm_start:
        return None
    if base.checkpoint is None:
        raise UsageError(
            f"the checkpoint that {base.version} was made of is not in {base.run}",
            why="its weights are what the training begins with (train.warm_start)",
            next_step="copy it back to checkpoints/, or set train.warm_start: false in the policy",
        )
    return str(base.checkpoint.resolve())


def _trained(run: Path, how: Train) -> Trained | None:
    """Return what a training left that came to its end."""
    path = run / RUN_RECORD
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    name = record.get("best_checkpoint")
    best = run / "checkpoints" / Path(name).name if name else None
    if record["status"] == "interrupted" or best is None or not best.is_file():
        return None
    return Trained(run, best, record["status"], record["stop_reason"], record["epochs"],
                   record["monitor"], record["best_score"], how.warm_start)  # fmt: skip
