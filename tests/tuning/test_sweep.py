"""Sweep files: what is read, and how mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deepfake_lightning.errors import UsageError
from deepfake_lightning.tuning import Sweep, read_sweep
from deepfake_lightning.tuning.space import Choices, Range

ROOT = Path(__file__).parents[2]
GIVEN = {"base": "b.yaml", "space": {"model.lr": {"low": 1e-4, "high": 1e-2}}}


def _file(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({**GIVEN, **changes}))
    return path


def test_the_one_that_is_shipped_is_read() -> None:
    sweep = read_sweep(ROOT / "configs/sweep.yaml")
    assert sweep.base == "configs/lite0.yaml"
    assert sweep.space["model.lr"] == Range(low=1e-4, high=1e-2, log=True)
    assert isinstance(sweep.space["data.batch_size"], Choices)


def test_numbers_without_a_point_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("base: b\nspace:\n  model.lr: {low: 1e-4, high: 1e-2}\n"
                    "  model.weight_decay: {choices: [1e-3, 1e-2]}\n")  # fmt: skip
    sweep = read_sweep(path)
    assert sweep.space["model.lr"] == Range(low=1e-4, high=1e-2)
    assert sweep.space["model.weight_decay"] == Choices(choices=(0.001, 0.01))


def test_flags_win_and_none_leaves_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, trials=5, pruner="none")
    assert read_sweep(path, trials=9, study=None).trials == 9
    assert read_sweep(path, trials=None).trials == 5
    assert read_sweep(path).pruner.kind == "none"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"objective": "test/auroc"}, "on validation only"),
        ({"objective": "val/aurocc"}, "use one of val/auroc"),
        ({"trails": 9}, "trails is no key"),
        ({"trials": 0}, "trials"),
        ({"study": "../x"}, "names a folder"),
        ({"pruner": "medan"}, r"pruner\.kind"),
        ({"space": {}}, "space"),
        ({"space": {"model.lr": 3}}, r"model\.lr: write \{low"),
        ({"space": {"model.lr": {"low": 1}}}, r"model\.lr: high is missing"),
        ({"space": {"model.lr": {"low": 1, "hihg": 2}}}, r"model\.lr: high is missing"),
        ({"space": {"model.lr": {"low": 3, "high": 2}}}, r"model\.lr: low 3 is not below"),
        ({"space": {"model.lr": {"choices": [1]}}}, r"model\.lr: choices"),
        ({"overrides": {"model.lr": 1}}, "in the space and in the overrides"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, changes: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        read_sweep(_file(tmp_path, **changes))
    assert len(str(caught.value).splitlines()) <= 3


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_sweep(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: {b")
    with pytest.raises(UsageError, match="not YAML"):
        read_sweep(broken)
    broken.write_text("just words")
    with pytest.raises(UsageError, match="holds no keys"):
        read_sweep(broken)


@pytest.mark.parametrize(
    ("objective", "better"),
    [("val/auroc", "maximize"), ("val/item_auroc", "maximize"), ("val/loss", "minimize"),
     ("val/item_brier", "minimize"), ("val/log_loss", "minimize"), ("val/eer", "minimize")],
)  # fmt: skip
def test_the_better_direction_is_known(objective: str, better: str) -> None:
    assert Sweep(**GIVEN, objective=objective).direction == better
