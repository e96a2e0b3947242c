"""Trials of a worker: real trainings, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from deepfake_lightning.errors import DataError, LayoutError
from deepfake_lightning.tuning.claiming import taken
from deepfake_lightning.tuning.sweep import Sweep
from deepfake_lightning.tuning.worker import work

BASE_DATA = {"image_size": 32, "num_workers": 0, "augment": False,
             "splits": {"train": 0.5, "val": 0.25, "test": 0.25}}  # fmt: skip


def _run(workspace: Any, number: int) -> tuple[Path, dict[str, Any]]:
    folder = workspace.runs / "tiny" / f"trial_{number:04d}"
    return folder, json.loads((folder / "run.json").read_text())


def _hparams(folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Return a run's values as TensorBoard's HPARAMS page has them, and its metrics under hp/."""
    events = EventAccumulator(str(folder)).Reload()
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    shown = {key: value.number_value or value.string_value for key, value in values.items()}
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith("hp/")]
    return shown, {tag: events.Scalars(tag)[-1].value for tag in tags}


def test_good_trials_end_bad_ones_are_given_up_and_others_fail(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any], make_job: Any, workspace: Any
) -> None:
    names = {"choices": ["test_efficientnet", "test_efficientnt"]}
    pruner = {"kind": "median", "startup_trials": 1, "warmup_epochs": 0}
    space = {"model.lr": {"low": 1e-9, "high": 0.1}, "model.backbone": names}
    sweep = make_sweep(space=space, pruner=pruner, trials=4, keep=1)
    desk = open_desk(sweep)
    for lr, place in ((0.002, 0), (1e-9, 0), (0.002, 1), (0.005, 0)):
        desk.study.enqueue_trial({"model.lr": lr, "model.backbone": names["choices"][place]})
    work(make_job(sweep))

    good, bad, wrong, better = open_desk(sweep).trials()
    assert (good.state, bad.state) == (TrialState.COMPLETE, TrialState.PRUNED)
    assert (wrong.state, better.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert "test_efficientnt" in wrong.user_attrs["reason"]
    assert better.value < good.value
    folder, record = _run(workspace, 3)
    assert record["status"] == "finished"
    assert better.value == pytest.approx(record["best_score"])
    assert better.value == pytest.approx(min(better.intermediate_values.values()))
    values, metrics = _hparams(folder)
    assert values["model.lr"] == pytest.approx(0.005)
    assert values["model.backbone"] == "test_efficientnet"
    assert metrics == {"hp/val/loss": pytest.approx(better.value)}

    folder, record = _run(workspace, 1)
    assert record["status"] == "pruned"
    assert "behind other trials" in record["stop_reason"]
    assert record["epochs"] < 2
    assert _hparams(folder)[0]["model.lr"] == pytest.approx(1e-9)
    # The best alone keeps its checkpoint, and records name none that is gone.
    kept = workspace.runs.glob("tiny/*/checkpoints/*")
    assert [f"{path.parent.parent.name}/{path.name}" for path in kept] == ["trial_0003/best.ckpt"]
    assert _run(workspace, 0)[1]["best_checkpoint"] is None
    assert record["best_checkpoint"] is None


def test_what_every_trial_would_meet_stops_the_sweep_and_costs_no_trial(
    make_sweep: Callable[..., Sweep], open_desk: Callable[..., Any], make_job: Any, workspace: Any
) -> None:
    sweep = make_sweep({"data": {"root": "nowhere"}})
    with pytest.raises(LayoutError, match="nowhere"):
        work(make_job(sweep))
    assert taken(open_desk(sweep).trials()) == 0
    assert not workspace.runs.exists()


def test_other_data_are_another_study(
    make_sweep: Callable[..., Sweep],
    open_desk: Callable[..., Any],
    make_job: Any,
    make_faces: Callable[..., Path],
    tmp_path: Path,
) -> None:
    root = make_faces(tmp_path / "faces", people=16)
    data = {**BASE_DATA, "root": str(root)}
    changed = {"data": data, "trainer": {"max_epochs": 1, "enable_progress_bar": False}}
    work(make_job(make_sweep(changed, trials=1)))
    make_faces(root, people=17)
    sweep = make_sweep(changed, trials=2)
    with pytest.raises(DataError, match="not those of the trials before"):
        work(make_job(sweep))
    assert taken(open_desk(sweep).trials()) == 1
