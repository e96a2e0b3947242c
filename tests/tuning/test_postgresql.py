"""A study in PostgreSQL: shared by machines that share nothing else, and there after an outage."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy import event

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.tuning.claiming import Desk, present, sole
from deepfake_lightning.tuning.database import PATIENCE_SECONDS, PatientStorage, logger
from deepfake_lightning.tuning.run import _search
from deepfake_lightning.tuning.study import open_storage, open_study
from deepfake_lightning.tuning.sweep import Sweep
from tests.postgresql_server import PASSWORD

WITHIN = {"model.lr": FloatDistribution(1e-9, 0.1, log=True)}
Make = Callable[..., Sweep]


def desk_of(sweep: Sweep, folder: Path) -> Desk:
    storage = open_storage(sweep.storage, folder)
    with sole(storage, folder, sweep.study):
        return Desk(sweep, open_study(sweep, storage), folder, storage)


def test_machines_without_a_common_folder_share_the_trials(
    make_sweep: Make, postgresql: Any, tmp_path: Path
) -> None:
    sweep = make_sweep(trials=5, storage=postgresql.database())
    start = threading.Barrier(2)

    def work(name: str) -> list[int]:
        start.wait()
        desk, numbers = desk_of(sweep, tmp_path / name), []
        with present(desk.folder, name):
            while (trial := desk.claim(name, WITHIN)) is not None:
                numbers.append(trial.number)
                desk.study.tell(trial, 1.0)
        return numbers

    with ThreadPoolExecutor(2) as pool:
        shares = list(pool.map(work, "12"))
    assert sorted(number for share in shares for number in share) == list(range(5))


class Start(logging.Handler):
    """Starts a server once it is said to be away."""

    def __init__(self, server: Any) -> None:
        super().__init__()
        self.server = server

    def emit(self, record: logging.LogRecord) -> None:
        if "is away" in record.getMessage():
            self.server.start()


def test_a_database_that_comes_back_has_all_and_one_that_does_not_is_told(
    make_sweep: Make, own_postgresql: Any, tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    sweep = make_sweep(trials=4, storage=own_postgresql.database())
    desk = desk_of(sweep, tmp_path / "1")
    desk.study.add_trial(create_trial(params={"model.lr": 0.01}, distributions=WITHIN, value=0.5))
    trial = desk.claim("w", WITHIN)
    assert trial is not None
    own_postgresql.stop()
    monkeypatch.setattr(logger, "handlers", [Start(own_postgresql)])
    with caplog.at_level(logging.WARNING):
        trial.report(0.4, 0)
        desk.study.tell(trial, 0.4)
    monkeypatch.setattr(logger, "handlers", [])
    said = [one.getMessage() for one in caplog.records if "deepfake" in one.name]
    assert len(said) == 2 and "is away, and waited for" in said[0] and "is back" in said[1]
    assert PASSWORD not in caplog.text
    assert [one.state for one in desk.trials()] == [TrialState.COMPLETE] * 2

    own_postgresql.stop()
    desk.storage.patience = 0.3
    with pytest.raises(StorageError, match=r"is away, and has been for 0 s.*refused") as caught:
        desk.claim("w", WITHIN)
    assert "run the same command again" in caught.value.next_step
    assert PASSWORD not in str(caught.value)
    began = time.monotonic()
    with pytest.raises(StorageError):  # it was waited for once
        desk.trials()
    assert time.monotonic() - began < PATIENCE_SECONDS / 10
    with pytest.raises(UsageError, match="cannot be opened"):
        desk_of(sweep, tmp_path / "1")
    own_postgresql.start()
    again = desk_of(sweep, tmp_path / "1")
    assert [one.value for one in again.trials()] == [0.5, 0.4]


def test_a_question_that_is_cut_in_the_middle_is_asked_again(
    make_sweep: Make, own_postgresql: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Optuna itself asks another way then, within the transaction that is over."""
    desk = desk_of(make_sweep(storage=own_postgresql.database()), tmp_path)
    desk.study.add_trial(create_trial(params={"model.lr": 0.01}, distributions=WITHIN, value=0.5))
    monkeypatch.setattr(logger, "handlers", [Start(own_postgresql)])
    cut: list[str] = []

    def stop(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "FROM trial_params" in statement and not cut:
            cut.append(statement)
            own_postgresql.stop()

    assert isinstance(desk.storage, PatientStorage)
    event.listen(desk.storage.engine, "before_cursor_execute", stop)
    assert [one.value for one in desk.trials()] == [0.5]
    assert cut


def test_who_is_interrupted_waits_no_more_for_a_database(
    make_sweep: Make, own_postgresql: Any, tmp_path: Path
) -> None:
    desk = desk_of(make_sweep(storage=own_postgresql.database()), tmp_path)

    class Interrupted:
        has_ended = False

        def look(self) -> None:
            own_postgresql.stop()
            raise KeyboardInterrupt

        def end(self) -> None:
            self.has_ended = True

    crew: Any = Interrupted()
    began = time.monotonic()
    with pytest.raises(StorageError, match="is away"):
        _search(desk, crew, lambda what, trials: None)
    assert crew.has_ended and time.monotonic() - began < PATIENCE_SECONDS / 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_sweep_outlasts_its_database(
    make_sweep: Make, own_postgresql: Any, workspace: Any, tmp_path: Path
) -> None:
    """Stopped while trials are trained; stopped again, with Ctrl-C while it is away; gone on."""
    sweep = make_sweep(trials=5, workers=2, storage=own_postgresql.database(), pruner="none",
                       overrides={"trainer.max_epochs": 4})  # fmt: skip
    config = tmp_path / "sweep.yaml"
    config.write_text(yaml.safe_dump(sweep.model_dump(mode="json")))
    command = [sys.executable, "-m", "deepfake_lightning", "tune", "--config", str(config),
               "--workspace", str(workspace.root)]  # fmt: skip
    desk = desk_of(sweep, tmp_path / "looking on")

    def states(state: TrialState) -> list[int]:
        return [one.number for one in desk.trials() if one.state == state]

    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: states(TrialState.RUNNING))
    own_postgresql.stop()
    time.sleep(8)
    own_postgresql.start()
    until(lambda: len(states(TrialState.COMPLETE)) >= 2)
    assert first.poll() is None
    own_postgresql.stop()
    time.sleep(4)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=200)
    assert first.returncode == 1, said
    assert "is away" in said and "run the same command again" in said and "Traceback" not in said
    own_postgresql.start()
    finished = {one.number: one.value for one in desk.trials() if one.value is not None}
    assert len(finished) >= 2

    again = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert again.returncode == 0, again.stderr
    trials = desk.trials()
    assert sum(one.state == TrialState.COMPLETE for one in trials) == 5
    assert finished.items() <= {one.number: one.value for one in trials}.items()
    logs = "".join(path.read_text() for path in workspace.tuning.rglob("*.log"))
    assert "is back" in logs
    assert PASSWORD not in logs + said + again.stdout + again.stderr
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in path.read_bytes() for path in files)


def until(true: Callable[[], Any], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
