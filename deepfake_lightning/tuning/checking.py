"""What a sweep is refused for before anything trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import UsageError
from deepfake_lightning.training.settings import fit_settings
from deepfake_lightning.tuning.space import flags, rounds, setting
from deepfake_lightning.tuning.sweep import Sweep

_OTHER_PICTURES = "trials would be measured on other pictures, and could not be compared"
_LUCK = "the best of several seeds is luck, and no better recipe"
_OURS = "the sweep sets it, so that trials can be told apart and compared"
_MEASURED = "val/loss is computed with it, so that trials would be measured differently"
_NO_HYPERPARAMETER = "it decides how a trial is measured or run, not what is learnt"

# Key, or the group it is in -> why it is not searched.
_FIXED = {
    "data.root": _OTHER_PICTURES,
    "data.splits": _OTHER_PICTURES,
    "data.split_seed": _OTHER_PICTURES,
    "data.resplit": _OTHER_PICTURES,
    "data.group_pattern": _OTHER_PICTURES,
    "data.face": _OTHER_PICTURES,
    "data.face_search": _OTHER_PICTURES,
    "data.strict": _OTHER_PICTURES,
    "data.seed": _LUCK,
    "seed_everything": _LUCK,
    "model.test_time_flip": _NO_HYPERPARAMETER,
    "audit_allow": _NO_HYPERPARAMETER,
    "early_stopping.monitor": _NO_HYPERPARAMETER,
    "early_stopping.mode": _NO_HYPERPARAMETER,
}
# Not for overrides either.
_OWN = (
    "experiment", "version", "workspace", "report", "register", "keep_last", "ckpt_path", "config",
    "checkpoint", "trainer.fast_dev_run", "trainer.enable_checkpointing", "trainer.devices",
    "trainer.num_nodes", "trainer.strategy", "trainer.logger", "trainer.default_root_dir",
)  # fmt: skip
_TRAINER_KEYS = (
    "max_epochs", "max_steps", "accumulate_grad_batches", "gradient_clip_val",
    "gradient_clip_algorithm", "precision", "limit_train_batches",
)  # fmt: skip
_IN_THE_LOSS = ("model.label_smoothing", "model.focal_gamma", "model.class_weights")


def check_sweep(sweep: Sweep) -> dict[str, Any]:
    """Return the settings of the base with the overrides, once every key and value is known.

    Raises:
        UsageError: names the key, and says why it cannot be.
    """
    if not Path(sweep.base).is_file():
        raise UsageError(
            f"base is {sweep.base}, and there is no such file",
            why="the path is taken from the current folder",
            next_step="name a configuration of `fit`, configs/lite0.yaml",
        )
    for key in sweep.overrides:
        _refuse(key, "overrides", {name: _OURS for name in _OWN})
    for key in sweep.space:
        _refuse_in_space(key, sweep.objective)
    settings = _parsed(sweep, {}, "base and overrides")
    for values in rounds(sweep.space):
        _parsed(sweep, values, "space")
    _check_base(settings)
    limit = setting(settings, "trainer.limit_val_batches")
    if "data.batch_size" in sweep.space and repr(limit) not in ("None", "1.0"):  # 1 is one batch
        raise UsageError(
            f"space: data.batch_size cannot be searched while trainer.limit_val_batches is {limit}",
            why=_OTHER_PICTURES,
            next_step="leave one of them out",
        )
    return settings


def base_flags(sweep: Sweep) -> list[str]:
    """Return the flags of ``fit`` that all trials share."""
    return ["--config", sweep.base, *flags(sweep.overrides)]


def _parsed(sweep: Sweep, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        return fit_settings([*base_flags(sweep), *flags(values)])
    except UsageError as error:
        raise UsageError(
            f"{where}: {error.what}", why=error.why, next_step=error.next_step
        ) from error


def _refuse(key: str, where: str, refused: Mapping[str, str]) -> None:
    for name, why in refused.items():
        if key == name or key.startswith(f"{name}.") or name.startswith(f"{key}."):
            raise UsageError(f"{where}: {key} cannot be there", why=why, next_step="leave it out")


def _refuse_in_space(key: str, objective: str) -> None:
    refused = {**_FIXED, **{name: _OURS for name in _OWN}}
    if objective == "val/loss":
        refused |= {name: _MEASURED for name in _IN_THE_LOSS}
    if not objective.startswith("val/item_"):
        refused["data.sampling"] = f"{_OTHER_PICTURES}; a val/item_ objective is of whole clips"
    _refuse(key, "space", refused)
    group, _, name = key.partition(".")
    if group == "trainer" and name not in _TRAINER_KEYS:
        raise UsageError(
            f"space: {key} cannot be searched",
            why=_NO_HYPERPARAMETER,
            next_step=f"of the trainer there are {', '.join(_TRAINER_KEYS)}",
        )


def _check_base(settings: Mapping[str, Any]) -> None:
    """Refuse a base whose trainings could not be trials."""
    devices = setting(settings, "trainer.devices")
    several = isinstance(devices, list) and len(devices) > 1
    if several or (str(devices) not in ("auto", "1") and not isinstance(devices, list)):
        raise UsageError(
            f"base: trainer.devices is {devices}",
            why="a trial trains on one device; workers are what makes a sweep parallel",
            next_step="leave it out of the base, and set `workers`",
        )
    if setting(settings, "trainer.num_nodes") not in (None, 1):
        raise UsageError("base: trainer.num_nodes is above 1", next_step="leave it out of the base")
    if setting(settings, "trainer.enable_checkpointing") is False:
        raise UsageError(
            "base: trainer.enable_checkpointing is false",
            why="a trial's value is that of its best checkpoint",
            next_step="leave it out of the base",
        )
    if setting(settings, "trainer.fast_dev_run"):
        raise UsageError("base: trainer.fast_dev_run is set", next_step="leave it out of the base")
