"""What a sweep file says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from jsonargparse import get_loader
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics import LOWER_IS_BETTER, METRIC_NAMES
from deepfake_lightning.tuning.space import Choices, Dimension, Range

_OBJECTIVES = ["val/loss", *(f"val/{of}{name}" for of in ("", "item_") for name in METRIC_NAMES)]
_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Pruner(BaseModel):
    """When a trial is given up.

    Attributes:
        kind: 'median' stops a trial that is behind the median of the others at the same
            validation; 'hyperband' runs brackets of successive halving; 'none' lets all end.
        startup_trials: that have to be complete before the first is pruned ('median').
        warmup_epochs: validations that each trial is left alone for.
    """

    model_config = _STRICT

    kind: Literal["median", "hyperband", "none"] = "median"
    startup_trials: int = Field(default=5, ge=1)
    warmup_epochs: int = Field(default=1, ge=0)


class Sweep(BaseModel):
    """A search space over the keys of ``fit``, and how it is searched.

    Attributes:
        study: its name, and that of its folders.
        base: a configuration of ``fit``, which the space varies.
        overrides: key -> value, for all trials. Those of ``trainer.`` are the trials' alone; the
            others are part of what is found.
        objective: the metric that is chosen by, under ``val/``: its best epoch is a trial's value.
        trials: that are to be finished, pruned ones included.
        workers: processes, each of which trains one trial at a time.
        timeout: seconds after which no further trial starts; null: none.
        seed: of what is tried; each training has the base's own.
        pruner: when a trial is given up.
        keep: of how many of the best trials the checkpoint is kept.
        storage: null (a journal in the study's folder), an Optuna storage URL, or a journal's path.
        space: key -> ``{low, high, log, step}`` or ``{choices}``.
    """

    model_config = _STRICT

    study: str = "sweep"
    base: str
    overrides: dict[str, Any] = {}
    objective: str = "val/auroc"
    trials: int = Field(default=20, ge=1)
    workers: int = Field(default=1, ge=1)
    timeout: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    pruner: Pruner = Pruner()
    keep: int = Field(default=3, ge=1)
    storage: str | None = None
    space: dict[str, Range | Choices] = Field(min_length=1)

    @field_validator("study")
    @classmethod
    def _names_a_folder(cls, study: str) -> str:
        if not re.fullmatch(r"[\w+-][\w.+-]*", study):
            raise ValueError("names a folder: use letters, digits, '.', '_', '+' and '-'")
        return study

    @field_validator("objective")
    @classmethod
    def _is_of_validation(cls, objective: str) -> str:
        if not objective.startswith("val/"):
            raise ValueError(
                "hyperparameters are chosen on validation only: name a metric under val/"
            )
        if objective not in _OBJECTIVES:
            near = get_close_matches(objective, _OBJECTIVES, n=3, cutoff=0.5) or _OBJECTIVES
            raise ValueError(f"{objective!r} is logged by nothing: use one of {', '.join(near)}")
        return objective

    @field_validator("pruner", mode="before")
    @classmethod
    def _by_name(cls, pruner: Any) -> Any:
        return {"kind": pruner} if isinstance(pruner, str) else pruner

    @field_validator("space", mode="before")
    @classmethod
    def _told_apart(cls, space: Any) -> Any:
        """Take each for one kind, so that its errors are of that kind alone."""
        if not isinstance(space, Mapping):
            return space
        return {key: _dimension(key, one) for key, one in space.items()}

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Optuna's word for the better direction of the objective."""
        name = self.objective.removeprefix("val/").removeprefix("item_")
        return "minimize" if name == "loss" or name in LOWER_IS_BETTER else "maximize"

    @model_validator(mode="after")
    def _once(self) -> Self:
        if both := sorted(self.space.keys() & self.overrides.keys()):
            raise ValueError(f"{both[0]} is in the space and in the overrides")
        return self


def _dimension(key: str, given: Any) -> Dimension:
    if isinstance(given, Range | Choices):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(f"{key}: write {{low: ..., high: ...}} or {{choices: [...]}}")
    kind = Choices if "choices" in given else Range
    try:
        return kind(**given)
    except (ValidationError, TypeError) as error:
        raise ValueError(f"{key}: {_fault(error)}") from error


def _fault(error: Exception) -> str:
    """Return the first thing that is wrong, after the name of the field it is wrong with."""
    if not isinstance(error, ValidationError):
        return f"{error}"
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"][:2]))
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "extra_forbidden":
        return f"{name} is no key of it"
    return f"{name} {said}" if name else said


def read_sweep(path: str | Path, **changes: Any) -> Sweep:
    """Return what a sweep file says.

    Args:
        path: YAML.
        changes: fields to set otherwise; None leaves one as the file has it.

    Raises:
        UsageError: the file is missing, no YAML, or names the key that is wrong.
    """
    path = Path(path)
    try:
        content = get_loader("yaml")(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", next_step="see configs/sweep.yaml"
        ) from error
    except Exception as error:  # the loader's own kinds of errors, none of which is public
        fault = " ".join(str(error).split())[:300]
        raise UsageError(f"{path} is not YAML: {fault}", next_step="correct it") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no keys", next_step="see configs/sweep.yaml")
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return Sweep(**{**content, **given})
    except ValidationError as error:
        raise UsageError(
            f"{path}: {_fault(error)}", next_step="correct it; configs/sweep.yaml is an example"
        ) from error
