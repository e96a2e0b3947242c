"""Optuna's study: what may change in it, where it is kept, what it proposes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner
from optuna.trial import TrialState, create_trial

from deepfake_lightning.errors import UsageError
from deepfake_lightning.tuning.study import open_storage, pruner_for, sampler_for
from deepfake_lightning.tuning.sweep import Sweep

WITHIN = {"model.lr": FloatDistribution(1e-9, 0.1, log=True)}


def _finished() -> optuna.trial.FrozenTrial:
    return create_trial(params={"model.lr": 0.01}, distributions=WITHIN, value=0.5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"space": {"model.lr": {"low": 1e-9, "high": 0.2, "log": True}}},
            r"space: model\.lr.*0\.1",
        ),
        ({"objective": "val/auroc"}, "one of val/loss, and not of val/auroc"),
        ({"overrides": {"trainer.max_epochs": 3}}, "overrides"),
        ({"changed": {"model": {"lr": 1.0}}}, "another base"),
    ],
)
def test_another_sweep_under_the_same_name_is_refused(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any], changes: dict, says: str
) -> None:
    open_desk(make_sweep()).study.add_trial(_finished())
    changed = make_sweep(**changes)
    with pytest.raises(UsageError, match=says) as caught:
        open_desk(changed)
    assert "--study" in str(caught.value)


def test_more_trials_and_another_layout_of_the_base_are_no_change(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    sweep = make_sweep()
    open_desk(sweep).study.add_trial(_finished())
    base = Path(sweep.base)
    base.write_text("# a comment\n" + yaml.safe_dump(yaml.safe_load(base.read_text()), indent=4))
    assert len(open_desk(sweep.model_copy(update={"trials": 50})).trials()) == 1


def test_a_study_without_results_may_be_corrected(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    open_desk(make_sweep()).study.enqueue_trial({"model.lr": 0.005})
    changed = open_desk(make_sweep(objective="val/auroc"))
    assert changed.trials() == []
    assert changed.study.direction == optuna.study.StudyDirection.MAXIMIZE


def test_a_torn_line_of_the_journal_is_dropped(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    desk = open_desk(make_sweep())
    desk.study.add_trial(_finished())
    with (desk.folder / "journal.log").open("a") as journal:
        journal.write('{"op_code":4,"worker')
    again = open_desk(make_sweep())
    again.study.add_trial(_finished())
    assert [one.state for one in again.trials()] == [TrialState.COMPLETE] * 2


def test_a_database_keeps_it_as_well(
    tmp_path: Path, make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    sweep = make_sweep(storage=f"sqlite:///{tmp_path}/sweeps.db")
    open_desk(sweep).study.add_trial(_finished())
    assert len(open_desk(sweep).trials()) == 1


@pytest.mark.parametrize(
    "url",
    ["postgres://u:secret@h/db", "postgresql://u:secret@h:port/db", "postgresql://u:p@secret@h/db",
     "postgresql://127.0.0.1:1/db?user=u&password=secret", "sqlite:////no/such/folder/x.db"],
)  # fmt: skip
def test_a_storage_that_cannot_be_opened_is_a_users_mistake(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="cannot be opened") as caught:
        open_storage(url, tmp_path)
    assert "secret" not in str(caught.value)


def test_a_sweep_that_goes_on_does_not_repeat_its_beginning(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    sweep, proposed = make_sweep(trials=6), []
    for _ in range(6):
        desk = open_desk(sweep)  # opened anew, as after a kill
        trial = desk.claim("w", WITHIN)
        proposed.append(trial.params["model.lr"])
        desk.study.tell(trial, 1.0)
    assert len(set(proposed)) == 6
    assert sampler_for(sweep, 3)._rng.rng.uniform() == sampler_for(sweep, 3)._rng.rng.uniform()


def test_pruners(make_sweep: Callable[..., Sweep]) -> None:
    kinds = {"median": MedianPruner, "hyperband": HyperbandPruner, "none": NopPruner}
    for name, kind in kinds.items():
        assert isinstance(pruner_for(make_sweep(pruner=name), 10), kind)
