"""At the end of a training its best checkpoint becomes a version."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console

from deepfake_lightning.errors import DeepfakeLightningError, UsageError
from deepfake_lightning.registry import Registry, Wish, check_wish
from deepfake_lightning.release import Release, release_checkpoint
from deepfake_lightning.schemas.version_names import Part
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import RUN_MANIFEST, Workspace

log = logging.getLogger(__name__)


class RegistryExport(Callback):
    """Registers the best checkpoint of ``fit``: calibrated, as a bundle, measured on ``test``.

    What could stop it is looked for before the training. What stops it all the same costs nothing
    of the training: the checkpoint is there, and the message says how to register it by hand. An
    interrupted training registers nothing. Only the first process of several works.

    Args:
        version: of the detector; None: that of the training, or the next free one.
        bump: which number of the highest version goes up, where no version is given.
        reason: why it was trained, for the history.
        parent: the version that it was made from or is to follow.
        by: who registers it; None: the user of this process.
        workspace: whose registry; None: that of the training.
        workers: processes that score; None: as many as there are cores.

    Attributes:
        release: what was registered; None before that, and where it failed.
        failure: why nothing was registered, and what to do; None where nothing went wrong.
    """

    def __init__(
        self,
        version: str | None = None,
        bump: Part = "minor",
        reason: str = "",
        parent: str | None = None,
        by: str | None = None,
        workspace: str | None = None,
        workers: int | None = None,
    ) -> None:
        self.version = version
        self.bump = bump
        self.reason = reason
        self.parent = parent
        self.by = by
        self.workspace = workspace
        self.workers = workers
        self.release: Release | None = None
        self.failure: DeepfakeLightningError | None = None

    @property
    def wish(self) -> Wish:
        """How the version is to be registered."""
        return Wish(self.version, self.bump, self.reason, self.by, self.parent)

    def check(self) -> None:
        """Refuse what could not be registered in the end.

        Raises:
            UsageError: the version is taken, or is none; the parent never was.
            RegistryError: the registry is damaged.
        """
        check_wish(self._registry(), self.wish)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Look for what would stop it, before anything is trained."""
        if stage != "fit" or not trainer.is_global_zero:
            return
        self.release = self.failure = None
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            log.warning("a trial run (fast_dev_run) registers nothing")
        else:
            self.check()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse a training that keeps neither its data nor its best checkpoint."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        folder = trainer.log_dir  # the first process tells the others: all have to ask
        keeper = trainer.checkpoint_callback
        if keeper is None or getattr(keeper, "monitor", None) is None:
            raise UsageError(
                "RegistryExport needs a checkpoint that a metric has chosen",
                next_step="leave --trainer.enable_checkpointing as it is, or leave the callback "
                "out and register a checkpoint by hand: deepfake-lightning registry register "
                "--ckpt_path CHECKPOINT",
            )
        if folder is None or not Path(folder, RUN_MANIFEST).is_file():
            raise UsageError(
                f"RegistryExport needs the folder of a training with its {RUN_MANIFEST}",
                why="what is said of a version is said with its data and their licences",
                next_step="train with `deepfake-lightning fit` or deepfake_lightning.train(), and "
                "leave --trainer.logger as it is",
            )

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Register. Lightning comes here when all other callbacks have finished the training."""
        if stage != "fit" or trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
            return
        path = Path(getattr(trainer.checkpoint_callback, "best_model_path", "") or "")
        try:
            self.release = self._released(path)
        except KeyboardInterrupt:
            self.failure = self._failed(path, "interrupted")
            self.failure.exit_code = 130  # 128 + SIGINT
        except DeepfakeLightningError as error:
            self.failure = self._failed(path, error.what, error)
        except Exception as error:  # whatever it is, the training is over and its results are kept
            log.exception("the best checkpoint could not be registered")
            self.failure = self._failed(path, f"{type(error).__name__}: {error}")

    def _registry(self) -> Registry:
        return Registry(Workspace.find(self.workspace))

    def _released(self, checkpoint: Path) -> Release:
        if not checkpoint.is_file():
            raise UsageError("the training has saved no checkpoint", next_step="train longer")
        with steps(Console(stderr=True)) as progress:
            return release_checkpoint(
                self._registry(), checkpoint, self.wish, recalibrate=True, workers=self.workers,
                progress=progress,
            )  # fmt: skip

    def _failed(
        self, checkpoint: Path, what: str, cause: DeepfakeLightningError | None = None
    ) -> DeepfakeLightningError:
        bump = None if self.version or self.bump == "minor" else self.bump
        flags = {"ckpt_path": checkpoint, "version": self.version, "bump": bump,
                 "reason": self.reason, "parent": self.parent, "by": self.by,
                 "workers": self.workers, "workspace": self.workspace}  # fmt: skip
        given = [word for name, value in flags.items() if value
                 for word in (f"--{name}", str(value))]  # fmt: skip
        first = f"{cause.next_step}; then: " if cause is not None and cause.next_step else ""
        command = f"deepfake-lightning registry register {shlex.join(given)}"
        failure = (type(cause) if cause is not None else DeepfakeLightningError)(
            f"the checkpoint was not registered: {what}",
            why="the training is whole, and its checkpoint is kept",
            next_step=f"{first}{command}",
        )
        failure.exit_code = 1
        return failure
