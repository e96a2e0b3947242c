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
from optuna.storages._rdb.models import BaseModel
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy import event

from deepfake_lightning.errors import UsageError
from deepfake_lightning.tuning.database import _GRACE_SECONDS, _address, shown
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


def test_two_that_begin_a_database_together_both_have_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sweeps.db"
    first: list[Any] = []

    def overtake(*_: Any, **__: Any) -> None:  # once it has been seen that no table is there
        if not first:
            first.append(None)
            first.append(open_storage(url, tmp_path))

    event.listen(BaseModel.metadata, "before_create", overtake)
    try:
        second = open_storage(url, tmp_path)
    finally:
        event.remove(BaseModel.metadata, "before_create", overtake)
    first[1].create_new_study([StudyDirection.MINIMIZE], "one")
    assert [one.study_name for one in second.get_all_studies()] == ["one"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [("postgresql://me@corp:secret@host/db", "postgresql://me%40corp:***@host/db"),
     ("postgresql://u:my secret@h/db", "postgresql://u:***@h/db"),
     ("postgresql://h/db?password=my secret&x=1", "postgresql://h/db?password=***&x=1"),
     ("redis://:my secret@h:6/0", "redis://:***@h:6/0"),
     ("postgresql://u:secret@h:port/db", "postgresql://u:***@h:port/db"),
     ("mlops/journal.log", "mlops/journal.log")],
)  # fmt: skip
def test_passwords_of_a_storage_are_not_shown(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_a_dead_line_is_noticed_where_the_driver_can() -> None:
    _, options = _address("postgresql+psycopg://h/db?connect_timeout=3")
    line = options["connect_args"]
    assert "connect_timeout" not in line  # the user's own is in the URL
    assert line["keepalives_idle"] + line["tcp_user_timeout"] / 1000 < _GRACE_SECONDS
    assert "connect_args" not in _address("postgresql+pg8000://h/db")[1]


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
