"""Ends of an experiment: stopped, promoted, or ended by somebody else."""

from pathlib import Path

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.deploying import Wish
from deepfake_lightning.deployment.environment import whole
from deepfake_lightning.deployment.experiments import (
    keep_decision,
    promote,
    run_of,
    status,
    stop,
    winner_of,
)
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.errors import BundleError, DeploymentError, UsageError

BETTER = {"v1.0.0": 0.7, "v1.1.0": 0.95}


@pytest.fixture
def shadowed(begin, serve):
    """Return an experiment in which v1.1.0 is better."""
    experiment = begin("v1.1.0", mode="shadow")
    serve(experiment, BETTER, 300)
    return experiment


@pytest.fixture
def judge(production, log, clock):
    def judged(experiment):
        clock.wait(hours=2)
        return status(production, experiment, log, clock.now)

    return judged


def test_stopped_the_control_has_all(production, begin, clock, judge):
    experiment = begin("v1.1.0")
    folder = keep_decision(production.workspace, judge(experiment), clock.now)
    change = stop(production, experiment, "the media changed", keep="v1.0.0", decision=folder)
    assert production.record().versions == ("v1.0.0",)
    assert production.record().experiment is None
    assert change.event == "abtest"
    assert Path(change.decision.path).name == folder.name
    run = run_of(experiment, production)
    assert (run.state, run.outcome, run.ended_by.reason) == ("ended", "v1.0.0", "the media changed")


def test_another_version_is_not_kept_without_the_gate(production, begin):
    with pytest.raises(UsageError, match=r"v1.1.0 is not the control") as caught:
        stop(production, begin("v1.1.0"), "it wins", keep="v1.1.0")
    assert "abtest promote v1.1.0" in caught.value.next_step
    assert production.record().experiment == "eyes"


def test_a_damaged_control_is_not_given_all(production, begin):
    experiment = begin("v1.1.0")
    onnx = next((production.workspace.registry / "models" / "v1.0.0").glob("*.onnx"))
    onnx.write_bytes(b"no network")
    with pytest.raises(BundleError):
        stop(production, experiment, "enough")
    assert production.record().experiment == "eyes"


def test_what_somebody_else_ended_cannot_be_stopped(production, begin):
    experiment = begin("v1.1.0")
    production.change(production.record(), whole("v1.2.0"), Act("rollback", "an alarm"))
    assert run_of(experiment, production).ended_by.event == "rollback"
    with pytest.raises(DeploymentError, match=r"v1.2.0 serves"):
        stop(production, experiment, "enough")


def test_a_file_that_was_changed_by_hand_ends_it(production, begin):
    experiment = begin("v1.1.0")
    text = production.path.read_text().replace('"eyes"', '"ears"')
    production.path.write_text(text)
    assert run_of(experiment, production).state == "ended"
    with pytest.raises(DeploymentError, match="does not run"):
        stop(production, experiment, "enough")


def test_there_is_no_winner_without_labels(production, begin, judge):
    experiment = begin("v1.1.0", mode="shadow")
    found = judge(experiment)
    with pytest.raises(DeploymentError, match="no winner"):
        winner_of(found)
    with pytest.raises(DeploymentError, match="does not say"):
        promote(production.workspace, experiment, found, Wish("v1.1.0", "production"))
    assert production.record().experiment == "eyes"


def test_neither_the_control_nor_a_stranger_is_promoted(production, shadowed, judge):
    found = judge(shadowed)
    for version in ("v1.0.0", "v1.2.0"):
        with pytest.raises(UsageError, match="no challenger"):
            promote(production.workspace, shadowed, found, Wish(version, "production"))


def test_the_gate_has_the_last_word(production, shadowed, judge, clock):
    found = judge(shadowed)
    assert winner_of(found) == "v1.1.0"
    wish = Wish("v1.1.0", "production", GatePolicy.model_validate({"floors": {"auroc": 1.0}}))
    done = promote(production.workspace, shadowed, found, wish, clock=clock)
    assert done.decision.outcome == "refused"
    assert done.change is None
    assert run_of(shadowed, production).state == "runs"  # it goes on


@pytest.mark.slow  # the gate looks at all it looks at: 16 s
def test_a_winner_that_is_let_in_has_all_in_one_change(production, shadowed, judge, clock):
    found = judge(shadowed)
    before = len(production.history.changes())
    policy = GatePolicy.model_validate({"integration": {"environments": []}})
    wish = Wish("v1.1.0", "production", policy, "so many people asked", force=True, by="desk 2")
    done = promote(production.workspace, shadowed, found, wish, clock=clock)
    assert done.decision.outcome == "forced"  # the tiny network knows nothing
    assert done.change is not None
    assert len(production.history.changes()) == before + 1
    assert (done.change.event, done.change.reason) == ("force", "so many people asked")
    assert production.record().versions == ("v1.1.0",)
    assert production.record().experiment is None
    assert run_of(shadowed, production).outcome == "v1.1.0"
