"""A whole sweep with its processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState

from deepfake_lightning.errors import LayoutError
from deepfake_lightning.training.run import fit
from deepfake_lightning.tuning import TrialRecord, run_sweep
from deepfake_lightning.tuning.sweep import Sweep


def _running(desk: Any) -> FrozenTrial | None:
    held = [one for one in desk.trials() if one.state == TrialState.RUNNING]
    return next((one for one in held if "owner" in one.user_attrs), None)


def _until(found: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < end:
        time.sleep(0.1)
    assert value, f"not within {seconds} s"
    return value


def _is_gone(pid: int) -> bool:
    with suppress(OSError):
        return b"tuning.worker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_sweep_survives_being_killed_and_its_best_values_train(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any], workspace: Any, tmp_path: Path
) -> None:
    sweep = make_sweep(trials=3, overrides={"trainer.max_epochs": 5}, pruner="none")
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep.model_dump(mode="json")))
    command = [sys.executable, "-m", "deepfake_lightning", "tune", "--config", str(path)]
    command += ["--workspace", str(workspace.root)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    _until(lambda: (workspace.tuning / "tiny/journal.log").is_file(), 120)
    desk = open_desk(sweep)
    lost = _until(lambda: _running(desk), 120)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _until(lambda: _is_gone(lost.user_attrs["owner"]["pid"]), 20)

    killed: list[int] = []

    def kill_one_more(what: str, trials: Sequence[TrialRecord]) -> None:
        one = _running(desk) if what == "searching" else None
        if one is not None and not killed and "again" not in one.user_attrs:
            killed.append(one.number)
            os.kill(one.user_attrs["owner"]["pid"], signal.SIGKILL)

    result = run_sweep(sweep, workspace=workspace.root, progress=kill_one_more)
    assert result.status == "finished"
    assert result.replaced == 1
    assert result.counts == {"complete": 3, "interrupted": 2}
    for number in (lost.number, killed[0]):
        before = result.trials[number]
        assert before.reason == "its process was killed; its values were put in line again"
        again = [one for one in result.trials if one.values == before.values]
        assert [one.state for one in again] == ["interrupted", "complete"]
    assert result.default is not None
    assert result.default.values == {"model.lr": 0.005}

    content = yaml.safe_load((result.folder / "best.yaml").read_text())
    assert result.best is not None
    assert content == {"model": {"lr": result.best.values["model.lr"]}}
    names = {"report.html", "study.json", "history.png", "parallel.png", "worker_0.log"}
    assert names <= {one.name for one in result.folder.iterdir()}
    flags = ["--config", sweep.base, "--config", str(result.folder / "best.yaml")]
    trained = fit(["fit", *flags, f"--workspace={workspace.root}", "--trainer.max_epochs=1",
                   "--report=false"])  # fmt: skip
    assert trained.run_dir is not None
    saved = yaml.safe_load((trained.run_dir / "config.yaml").read_text())
    assert saved["model"]["lr"] == result.best.values["model.lr"]


@pytest.mark.slow
def test_what_every_trial_would_meet_is_told_by_its_worker(
    make_sweep: Callable[..., Sweep], workspace: Any
) -> None:
    with pytest.raises(LayoutError, match="nowhere"):
        run_sweep(make_sweep({"data": {"root": "nowhere"}}), workspace=workspace.root)
