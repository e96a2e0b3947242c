"""Metrics of two processes are those of one, although the sampler repeats pictures."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("ddp_script.py")
PICTURES = 27


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return what one and what two processes logged."""
    folder = tmp_path_factory.mktemp("ddp")
    one, two = folder / "one.json", folder / "two.json"
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "2", str(two)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    threads = torch.get_num_threads()
    runpy.run_path(str(SCRIPT))["main"](1, one)
    torch.set_num_threads(threads)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr[-3000:]
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (one, two)]
    return [found[0], {**found[1], "stderr": stderr}]


@pytest.mark.parametrize("stage", ["val", "test"])
def test_two_processes_measure_what_one_does(results, stage):
    one, two = results
    assert len(one[stage]) >= 15
    assert two[stage] == pytest.approx(one[stage], abs=1e-6)
    assert {f"{stage}/loss", f"{stage}/auroc", f"{stage}/item_auroc"} <= two[stage].keys()


def test_a_picture_that_the_sampler_repeats_counts_once(results):
    assert [result["pictures"] for result in results] == [PICTURES, PICTURES]


def test_a_process_without_pictures_does_not_stall_the_others(results):
    assert [result["uneven"] for result in results] == [[0, 1, 2], [0, 1, 2]]


def test_training_with_two_processes_logs_the_same_in_both(results):
    two = results[1]
    assert two["agree"]
    assert two["trained_pictures"] == PICTURES + 1  # the sampler fills the second process up
    assert two["fit"].keys() >= {"train/loss", "train/accuracy", "val/loss", "val/auroc"}
    assert 0.3 < two["fit"]["train/loss"] < 1.5
    assert 0 <= two["fit"]["val/auroc"] <= 1


def test_two_processes_train_as_one_does_where_nothing_is_of_a_process_alone(results):
    one, two = (result["weights"] for result in results)
    assert two == pytest.approx(one, rel=1e-4)


def test_a_signal_to_one_process_ends_both_after_the_same_step(results):
    assert results[1]["stopped"] == {"steps": [3, 3], "saved": True}


def test_lightning_has_nothing_to_warn_about_in_what_is_logged(results):
    assert "sync_dist" not in results[1]["stderr"]
