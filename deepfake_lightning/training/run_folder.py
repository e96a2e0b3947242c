"""One folder a training: TensorBoard's logs, the checkpoints, the configuration, the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from deepfake_lightning.callbacks.sources import data_of
from deepfake_lightning.schemas import write_manifest
from deepfake_lightning.storage import RUN_CONFIG, RUN_MANIFEST, new_folder


class RunLogger(TensorBoardLogger):
    """Logs to ``runs/<experiment>/<version>``, or ``<version>_2`` and so on where that exists.

    The folder is made when it is first needed, by the first process, so that a training whose
    data are refused leaves none behind, and no two trainings share one.

    Args:
        runs: the workspace's folder of runs.
        experiment: name of the experiment.
        version: version of the model to be.
        folder: an existing run's folder, to go on in it.
    """

    def __init__(
        self, runs: str, experiment: str, version: str, folder: Path | None = None
    ) -> None:
        self._wanted = version
        self._claimed = folder.name if folder else None
        super().__init__(
            save_dir=str(folder.parent.parent) if folder else runs,
            name=folder.parent.name if folder else experiment,
            version=self._claimed,
            default_hp_metric=False,
        )

    @property
    def version(self) -> str:
        """Name of the run's folder; asking for it makes the folder."""
        if self._claimed is None:
            first = getattr(rank_zero_only, "rank", 0) == 0  # the others are told by broadcast
            parent = Path(self.root_dir)
            self._claimed = new_folder(parent, self._wanted).name if first else self._wanted
        return self._claimed

    def save(self) -> None:
        """Write the hyperparameters; nothing where a training failed before it had a folder."""
        if self._claimed is not None:
            super().save()


class SaveRunConfig(SaveConfigCallback):
    """Saves what a training was asked for, and the rows and splits it works on.

    A resumed training's configuration is saved beside the first. The manifest is what scoring
    and resuming use, so that pictures that come later change no split.
    """

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Choose a name that is free; save nothing where there is no run's folder."""
        if not trainer.loggers:
            return
        if self.config.get("ckpt_path") and trainer.log_dir:
            taken = len(list(Path(trainer.log_dir).glob("config*.yaml")))
            self.config_filename = f"config-resumed-{taken}.yaml" if taken else RUN_CONFIG
        super().setup(trainer, pl_module, stage)
        path = Path(str(trainer.log_dir)) / RUN_MANIFEST
        if trainer.is_global_zero and not path.exists():
            data = data_of(trainer, self)
            write_manifest(data.load(), path, split_seed=data.hparams["split_seed"])


def latest_run(runs: Path, experiment: str, version: str | None) -> Path | None:
    """Return the newest run folder of a version that has a ``last.ckpt``, or None.

    Args:
        runs: the workspace's folder of runs.
        experiment: its name.
        version: of the model to be; None: any.
    """
    folders = [path.parent.parent for path in (runs / experiment).glob("*/checkpoints/last.ckpt")]
    return max(
        (folder for folder in folders if version is None or _is_of(folder.name, version)),
        key=lambda path: (path / "checkpoints/last.ckpt").stat().st_mtime,
        default=None,
    )


def _is_of(folder: str, version: str) -> bool:
    return folder == version or folder.removeprefix(f"{version}_").isdigit()
