"""LightningCLI with fixed classes, so that a configuration needs no class_path for them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentError
from lightning.fabric.plugins import CheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from deepfake_lightning.callbacks import (
    EarlyStopping,
    EvaluationReport,
    RegistryExport,
    TrainingProgress,
)
from deepfake_lightning.callbacks.early_stopping import require_direction, require_logged
from deepfake_lightning.callbacks.interruption import Interruption
from deepfake_lightning.data.audit import AuditReport, check_before_training
from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.errors import UsageError
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.models.checkpoint_file import read_checkpoint
from deepfake_lightning.registry import Registry
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.storage import Workspace, run_of
from deepfake_lightning.training.arguments import DEFAULT_EXPERIMENT, complete
from deepfake_lightning.training.checkpoint_io import AtomicCheckpointIO
from deepfake_lightning.training.loggers import check_loggers
from deepfake_lightning.training.run_folder import RunLogger, SaveRunConfig
from deepfake_lightning.training.several import end_with_the_first, told_apart
from deepfake_lightning.training.usage import check_names, unknown_key, verb_help

log = logging.getLogger(__name__)
Kind = TypeVar("Kind", bound=Callback)
CheckData = Callable[[Manifest, Collection[str]], AuditReport]

_TRAINER_DEFAULTS = {"max_epochs": 50, "log_every_n_steps": 10, "enable_model_summary": False}
_CHECKPOINT_DEFAULTS = {
    "checkpoint.monitor": "val/auroc",
    "checkpoint.mode": "max",
    "checkpoint.filename": "best",
    "checkpoint.auto_insert_metric_name": False,
    "checkpoint.enable_version_counter": False,
}


class TrainingCLI(LightningCLI):
    """``fit``, ``validate`` and ``test``.

    Args:
        args: ``[verb, flag, ...]``.
        callbacks: further ones of ``fit``, as objects, which no configuration could name.
        check_data: audits what is about to be trained on.
        when_done: called when a training has ended, before it is registered.

    Raises:
        UsageError: an unknown key or a value of the wrong type.
    """

    model: DeepfakeDetector
    datamodule: DeepfakeDataModule
    interrupted = False
    audit: AuditReport | None = None

    def __init__(
        self,
        args: list[str],
        callbacks: Sequence[Callback] = (),
        check_data: CheckData = check_before_training,
        when_done: Callable[[TrainingCLI], object] = lambda cli: None,
    ) -> None:
        self._given_callbacks = callbacks
        self._check_data = check_data
        self._when_done = when_done
        own: dict[str, Any] = {"allow_abbrev": False, "exit_on_error": False}
        try:
            super().__init__(
                DeepfakeDetector,
                DeepfakeDataModule,
                args=complete(args),
                seed_everything_default=0,
                auto_configure_optimizers=False,
                trainer_defaults=_TRAINER_DEFAULTS,
                save_config_callback=SaveRunConfig if args[:1] == ["fit"] else None,
                parser_kwargs={
                    "prog": "deepfake-lightning",
                    **own,
                    **{verb: {**own, **verb_help(verb)} for verb in self.subcommands()},
                },
            )
        except ArgumentError as error:
            raise unknown_key(str(error), self._known_keys()) from error
        except MisconfigurationException as error:
            raise UsageError(str(error), next_step="correct the trainer's settings") from error

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the verbs. Scoring files is the inference engine's, not a Trainer's."""
        return {
            "fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule", "weights_only"},
            "validate": {"model", "dataloaders", "datamodule", "weights_only", "verbose"},
            "test": {"model", "dataloaders", "datamodule", "weights_only", "verbose"},
        }

    def _parse_ckpt_path(self) -> None:
        """Leave the user's flags alone: ``complete`` has put the checkpoint's settings first."""

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; the arguments always come from our own caller, which Lightning warns of."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*args parameter is intended to run from within.*")
            super().parse_arguments(parser, args)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what names a run, and the callbacks every training has."""
        parser.add_argument("--experiment", type=str, default=DEFAULT_EXPERIMENT,
                            help="name of the experiment")  # fmt: skip
        parser.add_argument("--version", type=str | None, default=None,
                            help="version of the model to be (default: the next free one of the "
                            "registry)")  # fmt: skip
        parser.add_argument("--workspace", type=str | None, default=None,
                            help="where runs and reports go (default: mlops)")  # fmt: skip
        parser.add_argument("--audit_allow", type=list[str], default=[],
                            help="findings of the data's audit to train with all the same, by "
                            "name; the run records them")  # fmt: skip
        parser.add_argument("--report", type=bool, default=True,
                            help="write a report of val when a training ends")  # fmt: skip
        parser.add_argument("--keep_last", type=bool, default=True,
                            help="keep last.ckpt of every epoch, to go on from")  # fmt: skip
        parser.add_argument("--register", type=bool | None, default=None,
                            help="register the best checkpoint as a version when a training ends "
                            "(default: if RegistryExport is among the callbacks)")  # fmt: skip
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(_CHECKPOINT_DEFAULTS)

    @property
    def settings(self) -> Any:
        """The parsed configuration of the verb."""
        return self.config[self.subcommand]

    @property
    def workspace(self) -> Workspace:
        """Where runs, reports and versions are."""
        return Workspace.find(self.settings["workspace"])

    @cached_property
    def version(self) -> str:
        """The version of the model to be: the one that was asked for, or the next free one."""
        return self.settings["version"] or Registry(self.workspace).next()

    @property
    def ckpt_path(self) -> Path | None:
        """The checkpoint that is resumed or scored."""
        path = self.settings.get("ckpt_path")
        return Path(path) if path else None

    def before_instantiate_classes(self) -> None:
        """Refuse loggers that could not log, before anything is made."""
        check_loggers(self.settings["trainer"]["logger"])

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the Trainer; what the user configured stays as it is.

        Loggers of the user log beside the run's own, which makes its folder; ``false`` is none.
        """
        trainer = self.config_init[self.subcommand]["trainer"]
        fitting = self.subcommand == "fit"
        # First, since it may settle which version this is.
        given = self._with_export([*_listed(trainer["callbacks"]), *self._given_callbacks])
        if trainer["logger"] in (None, True):
            kwargs["logger"] = self._logger() if fitting else False
        elif fitting and trainer["logger"] is not False:
            kwargs["logger"] = [self._logger(), *_listed(trainer["logger"])]
        own: list[Callback] = []
        if trainer["enable_progress_bar"] is not False:
            own.append(TrainingProgress())
        if fitting:
            own.append(Interruption())
        if not fitting or self.settings["report"]:
            own.append(self._report())
        if fitting:
            own.append(LambdaCallback(on_fit_end=lambda *_: self._when_done(self)))
        kwargs["callbacks"] = [*given, *own]
        plugins = _listed(trainer["plugins"])
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(AtomicCheckpointIO())
        kwargs["plugins"] = plugins
        built = super().instantiate_trainer(**kwargs)
        end_with_the_first(built)
        if fitting and trainer["enable_checkpointing"] is not False and self.settings["keep_last"]:
            built.callbacks.append(_last_checkpoint())  # type: ignore[attr-defined]
        return built

    def _logger(self) -> RunLogger:
        path = self.ckpt_path
        resumed = None if path is None else run_of(path)
        runs = str(self.workspace.runs)
        return RunLogger(runs, self.settings["experiment"], self.version, resumed)

    def _with_export(self, given: list[Callback]) -> list[Callback]:
        """Return the callbacks with what registers, or without it, as it was asked for."""
        wanted = self.settings["register"]
        if self.subcommand != "fit" or wanted is False:
            return [one for one in given if not isinstance(one, RegistryExport)]
        found = next((one for one in given if isinstance(one, RegistryExport)), None)
        if found is None and wanted:
            found = RegistryExport()
            given = [*given, found]
        if found is not None:
            self._settle(found)
        return given

    def _settle(self, export: RegistryExport) -> None:
        """Let a training and its registration have one workspace and one version.

        Where none is given, the registration looks for the next free one again: the one that was
        free before may be taken by the time the training is over.
        """
        export.workspace = export.workspace or str(self.workspace.root)
        export.version = export.version or self.settings["version"]
        self.version = export.version or Registry(self.workspace).next(export.bump)
        export.check()  # before the data are looked at

    def _report(self) -> EvaluationReport:
        place = self.workspace
        if self.subcommand == "fit":
            name = f"{self.settings['experiment']}-{self.version}-fit"
            return EvaluationReport(str(place.reports), name, self.version)
        assert self.ckpt_path is not None
        run = self.ckpt_path.resolve().parent.parent
        name = f"{run.parent.name}-{run.name}-{self.ckpt_path.stem}-{self.subcommand}"
        return EvaluationReport(
            str(place.reports), name, run.name, str(self.ckpt_path), str(place.root)
        )

    def before_fit(self) -> None:
        """Fail on what would fail later, before anything is written."""
        for group in ("checkpoint", "early_stopping"):
            settings = self.settings[group]
            require_logged(settings["monitor"], self.model, f"{group}.monitor")
            require_direction(settings["monitor"], settings["mode"], group)
        check_names(self.settings)
        self.datamodule.setup("fit")
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            with Console(stderr=True).status("auditing the data"):
                allowed = self.settings["audit_allow"]
                self.audit = self._check_data(self.datamodule.load(), allowed)
            if (report := self.evaluation_report) is not None:
                report.findings = self.audit.findings
            for finding in self.audit.findings:
                if finding.severity != "note":
                    log.warning("the data's audit: %s", finding.what)
        if self.ckpt_path is None:
            self.model.load_pretrained()
        else:
            self.model.on_load_checkpoint(read_checkpoint(self.ckpt_path))

    def fit(self, **kwargs: Any) -> None:
        """Train. Lightning ends the process on Ctrl-C, once its callbacks have saved what there is;
        here an interrupted training ends like any other, and says so.
        """
        try:
            with told_apart(self.trainer):
                self.trainer.fit(**kwargs)
        except SystemExit:
            if self.trainer.state.status != "interrupted":
                raise
            self.interrupted = True

    def validate(self, **kwargs: Any) -> None:
        """Score ``val``; the report is the table, so Lightning prints none."""
        with told_apart(self.trainer):
            self.trainer.validate(verbose=False, **kwargs)

    def test(self, **kwargs: Any) -> None:
        """Score ``test``, likewise."""
        with told_apart(self.trainer):
            self.trainer.test(verbose=False, **kwargs)

    @property
    def evaluation_report(self) -> EvaluationReport | None:
        """What writes the report; None for a training without one."""
        return self._callback(EvaluationReport)

    @property
    def registry_export(self) -> RegistryExport | None:
        """What registers the best checkpoint; None where nothing does."""
        return self._callback(RegistryExport)

    def _callback(self, kind: type[Kind]) -> Kind | None:
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]
        return next((one for one in callbacks if isinstance(one, kind)), None)

    def _known_keys(self) -> list[str]:
        # Lightning makes them while it parses, and arguments may be wrong before that.
        parsers = getattr(self, "_subcommand_parsers", {})
        found = [one.get_defaults(skip_validation=True) for one in list(parsers.values())[:1]]
        return [key for defaults in found for key in defaults.keys(branches=True)]


def _last_checkpoint() -> ModelCheckpoint:
    """Keep ``last.ckpt`` of every epoch: ``save_last`` skips those that are not among the best."""
    return ModelCheckpoint(
        filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
