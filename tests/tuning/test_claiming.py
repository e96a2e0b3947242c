"""Trials are handed out once each, and those of killed processes are taken up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from deepfake_lightning.tuning.claiming import is_present, present, taken
from deepfake_lightning.tuning.sweep import Sweep

WITHIN = {"model.lr": FloatDistribution(1e-9, 0.1, log=True)}
_HOLDER = """
import sys, time
from pathlib import Path
from deepfake_lightning.tuning.claiming import present
with present(Path(sys.argv[1]), "other"):
    print("here", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a process that lives as the worker 'other' of the study 'tiny'."""
    folder = tmp_path / "mlops/tuning/tiny"
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_worker_is_present_while_it_lives(tmp_path: Path) -> None:
    assert not is_present(tmp_path, "w")
    with present(tmp_path, "w"):
        assert is_present(tmp_path, "w")
    assert not is_present(tmp_path, "w")


def test_a_killed_workers_trial_is_taken_up_once(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any], other: Any
) -> None:
    desk = open_desk(make_sweep(trials=1))
    lost = desk.claim("other", WITHIN)
    assert desk.claim("w", WITHIN) is None  # it lives, and has the only one

    other.send_signal(signal.SIGKILL)
    other.wait()
    desk.take_up_lost()
    desk.take_up_lost()
    assert [one.state for one in desk.trials()] == [TrialState.FAIL, TrialState.WAITING]
    again = desk.claim("other", WITHIN)  # no such worker lives any more, either
    assert again.params == lost.params
    assert again.user_attrs["again"] == lost.number

    desk.take_up_lost()  # what kills its process twice is not tried a third time
    assert [one.state for one in desk.trials()] == [TrialState.FAIL, TrialState.FAIL]
    assert taken(desk.trials()) == 1
    assert desk.claim("w", WITHIN) is None


def test_an_interrupted_trial_is_no_attempt(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    desk = open_desk(make_sweep(trials=1))
    values = set()
    for _ in range(4):
        trial = desk.claim("w", WITHIN)
        values.add(trial.params["model.lr"])
        trial.set_user_attr("interrupted", True)
        desk.study.tell(trial, state=TrialState.FAIL)
    assert len(values) == 1
    assert taken(desk.trials()) == 0


def test_the_default_stays_the_default_when_it_is_tried_again(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    desk = open_desk(make_sweep(trials=1))
    desk.study.enqueue_trial({"model.lr": 0.005}, user_attrs={"default": True})
    assert desk.claim("gone", WITHIN).user_attrs["default"]
    again = desk.claim("w", WITHIN)
    assert again.user_attrs["default"]
    assert again.params == {"model.lr": 0.005}


def test_trials_of_another_machine_are_left_alone(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    desk = open_desk(make_sweep(trials=1))
    trial = desk.claim("w", WITHIN)
    trial.set_user_attr("owner", {"worker": "w", "host": "another", "pid": 1})
    desk.take_up_lost()
    assert desk.trials()[0].state == TrialState.RUNNING


def test_in_a_database_host_and_path_do_not_tell_machines_apart(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any], tmp_path: Path
) -> None:
    """Containers may have both in common, and no file."""
    desk = open_desk(make_sweep(trials=2, storage=f"sqlite:///{tmp_path}/sweeps.db"))
    desk.claim("elsewhere", WITHIN)
    with present(desk.folder, "here"):
        desk.claim("here", WITHIN)
    (desk.folder / "workers/here.lock").touch()  # as of one that was killed
    desk.take_up_lost()
    assert [one.state for one in desk.trials()[:2]] == [TrialState.RUNNING, TrialState.FAIL]


def test_a_failed_trial_with_a_reason_counts(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any]
) -> None:
    desk = open_desk(make_sweep(trials=1))
    trial = desk.claim("w", WITHIN)
    trial.set_user_attr("reason", "out of memory")
    desk.study.tell(trial, state=TrialState.FAIL)
    assert desk.claim("w", WITHIN) is None


def test_no_trial_is_handed_out_beyond_what_was_asked_for(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any], workspace: Any
) -> None:
    sweep = make_sweep(trials=5)
    open_desk(sweep)

    def work(name: str) -> list[int]:
        desk, numbers = open_desk(sweep), []
        with present(desk.folder, name):
            while (trial := desk.claim(name, WITHIN)) is not None:
                numbers.append(trial.number)
                desk.study.tell(trial, 1.0)
        return numbers

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, "abcd"))
    assert sorted(number for share in shares for number in share) == [0, 1, 2, 3, 4]
