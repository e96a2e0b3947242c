"""What a sweep is refused for, against the real parser of ``fit``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.tuning.checking import check_sweep
from deepfake_lightning.tuning.space import default_values, distributions
from deepfake_lightning.tuning.sweep import Sweep, read_sweep

ROOT = Path(__file__).parents[2]

LR = {"low": 1e-4, "high": 1e-2}
TWO = {"choices": [1, 2]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"space": {"model.lrr": LR}}, r"space: unknown key model\.lrr\n.*model\.lr"),
        ({"space": {"model.lr": {"choices": ["low", "high"]}}}, r"space: .*model\.lr"),
        ({"space": {"model.schedule": {"choices": ["cosine", "cosin"]}}}, "cosin"),
        ({"overrides": {"trainer.max_epoch": 2}}, r"overrides: unknown key.*\n.*max_epochs"),
        ({"space": {"data.root": {"choices": ["a", "b"]}}}, "other pictures"),
        ({"space": {"data.split_seed": TWO}}, "other pictures"),
        ({"space": {"data.sampling": {"choices": ["even:4", "even:8"]}}}, "whole clips"),
        ({"space": {"seed_everything": TWO}}, "luck"),
        (
            {"space": {"model.test_time_flip": {"choices": [False, True]}}},
            "not what is learnt",
        ),
        ({"space": {"experiment": {"choices": ["a", "b"]}}}, "told apart"),
        ({"space": {"checkpoint.save_top_k": TWO}}, "told apart"),
        ({"space": {"trainer.limit_val_batches": TWO}}, "max_epochs"),
        ({"space": {"model.label_smoothing": {"low": 0.0, "high": 0.2}}}, "val/loss"),
        ({"overrides": {"version": "v1"}}, "told apart"),
        ({"overrides": {"trainer.devices": 2}}, "told apart"),
        ({"base": "none.yaml"}, "no such file"),
    ],
)
def test_it_is_refused_and_says_why(
    make_sweep: Callable[..., Sweep], changes: dict[str, Any], says: str
) -> None:
    sweep = make_sweep(**{"objective": "val/loss", **changes})
    with pytest.raises(UsageError, match=says):
        check_sweep(sweep)


@pytest.mark.parametrize(
    ("trainer", "says"),
    [({"devices": 2}, "one device"), ({"enable_checkpointing": False}, "best checkpoint")],
)
def test_a_base_that_cannot_be_a_trial_is_refused(
    make_sweep: Callable[..., Sweep], trainer: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        check_sweep(make_sweep({"trainer": trainer}))


def test_batches_of_other_sizes_would_be_other_pictures(make_sweep: Callable[..., Sweep]) -> None:
    space = {"data.batch_size": {"choices": [8, 16]}}
    assert check_sweep(make_sweep(space=space))["data"]["batch_size"] == 16
    with pytest.raises(UsageError, match="limit_val_batches is 4"):
        check_sweep(make_sweep(space=space, overrides={"trainer.limit_val_batches": 4}))


def test_settings_are_those_of_base_and_overrides(make_sweep: Callable[..., Sweep]) -> None:
    settings = check_sweep(make_sweep(overrides={"trainer.max_epochs": 7}))
    assert settings["trainer"]["max_epochs"] == 7
    assert settings["model"]["lr"] == 0.005


def test_the_one_that_is_shipped_can_run_and_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sweep = read_sweep("configs/sweep.yaml")
    settings = check_sweep(sweep)
    values, outside = default_values(settings, distributions(sweep.space, settings))
    assert outside == []
    assert values["data.batch_size"] == 32
