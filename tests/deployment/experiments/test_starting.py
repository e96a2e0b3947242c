"""Starting an experiment: what is refused, and what serves afterwards."""

from dataclasses import replace

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.experiments import Start, every, run_of, start
from deepfake_lightning.deployment.experiments.experiment import keep, running_in
from deepfake_lightning.errors import BundleError, DeploymentError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving


def shares(record):
    return {one.version: round(one.share, 6) for one in record.serving}


def test_versions_share_the_traffic(production, begin):
    experiment = begin("v1.1.0", share=0.2, reason="sharper eyes")
    record = production.record()
    assert shares(record) == {"v1.0.0": 0.8, "v1.1.0": 0.2}
    assert list(shares(record)) == ["v1.0.0", "v1.1.0"]  # where it grows, its clients stay
    assert (record.experiment, record.shadow, record.reason) == ("eyes", (), "sharper eyes")
    assert production.history.changes()[-1].event == "abtest"
    assert production.history.changes()[-1].decision.path == "experiments/eyes.json"
    assert verify_history(production.workspace) == []
    assert running_in(production) == experiment
    assert run_of(experiment, production).state == "runs"


def test_all_have_the_same_share_unless_it_is_said(production, begin):
    begin("v1.1.0", "v1.2.0")
    assert shares(production.record()) == dict.fromkeys(("v1.0.0", "v1.1.0", "v1.2.0"), 0.333333)


def test_in_the_shadow_the_control_answers_all(production, begin):
    begin("v1.1.0", "v1.2.0", mode="shadow")
    record = production.record()
    assert shares(record) == {"v1.0.0": 1}
    assert record.shadow == ("v1.1.0", "v1.2.0")


def test_a_name_is_made_of_the_versions_and_taken_once(production, begin):
    first = begin("v1.1.0", name=None)
    production.change(production.record(), whole("v1.0.0"), Act("rollback", "no"))
    second = begin("v1.1.0", name=None)
    assert (first.name, second.name) == ("v1.1.0-against-v1.0.0", "v1.1.0-against-v1.0.0-2")
    production.change(production.record(), whole("v1.0.0"), Act("rollback", "no"))
    with pytest.raises(DeploymentError, match=first.name):
        begin("v1.1.0", name=first.name)


def test_a_name_tells_its_requests_from_the_others(production, begin):
    with pytest.raises(DeploymentError, match="like its environment"):
        begin("v1.1.0", name="production")


def test_a_name_that_never_came_to_serve_is_free(production, begin, policy):
    begin("v1.1.0")
    killed = replace_name(every(production.workspace)[0], "ears")  # before what serves was changed
    keep(production.workspace, killed)
    production.change(production.record(), whole("v1.0.0"), Act("rollback", "no"))
    assert run_of(killed, production).state == "set up"
    assert begin("v1.2.0", name="ears").challengers == ("v1.2.0",)


def replace_name(experiment, name):
    return experiment.model_copy(update={"name": name})


def test_none_while_another_runs_or_a_canary_does(production, begin):
    begin("v1.1.0")
    with pytest.raises(DeploymentError, match="the experiment eyes is under way"):
        begin("v1.2.0", name="more")
    canary = EnvironmentRecord(
        serving=(Serving(version="v1.0.0", share=0.95), Serving(version="v1.1.0", share=0.05))
    )
    production.change(production.record(), canary, Act("canary", "try"))
    with pytest.raises(DeploymentError, match="a canary is under way"):
        begin("v1.2.0", name="more")


def test_none_where_nothing_serves(workspace, policy, production):
    with pytest.raises(DeploymentError, match="nothing serves in lab"):
        start(workspace, Start(("v1.1.0",), "lab", policy=policy))


def test_a_version_that_passed_no_gate_needs_force_and_a_reason(production, begin):
    with pytest.raises(DeploymentError, match=r"v2.0.0 never passed a gate") as caught:
        begin("v2.0.0")
    assert "deploy v2.0.0 --env staging" in caught.value.next_step
    with pytest.raises(UsageError, match="reason"):
        begin("v2.0.0", force=True)
    assert production.record().versions == ("v1.0.0",)
    assert every(production.workspace) == []
    taken = begin("v2.0.0", force=True, reason="it is urgent")
    assert taken.untried == ("v2.0.0",)


def test_a_version_that_was_forced_into_staging_passed_no_gate(production, begin, workspace):
    staging = Environment(workspace, "staging")
    staging.change(staging.record(), whole("v2.0.0"), Act("force", "so what"))
    with pytest.raises(DeploymentError, match="never passed"):
        begin("v2.0.0")


def test_in_staging_any_version_may_be_tried(production, begin):
    assert begin("v2.0.0", environment="staging").control == "v1.2.0"


def test_a_damaged_version_is_not_started(production, begin):
    file = production.workspace.registry / "models" / "v1.1.0" / "model.safetensors"
    files = list((production.workspace.registry / "models" / "v1.1.0").iterdir())
    file = file if file in files else next(one for one in files if one.suffix == ".onnx")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError):
        begin("v1.1.0")
    assert production.record().versions == ("v1.0.0",)
    assert every(production.workspace) == []


@pytest.mark.parametrize(
    ("versions", "wish"),
    [((), {}), (("v1.0.0",), {}), (("v1.1.0", "v1.1.0"), {}), (("v9.0.0",), {}),
     (("v1.1.0",), {"share": 1.0}), (("v1.1.0",), {"share": 0.0}),
     (("v1.1.0", "v1.2.0"), {"share": 0.5}), (("v1.1.0",), {"share": 0.1, "mode": "shadow"}),
     (("v1.1.0",), {"name": "../eyes"})],
)  # fmt: skip
def test_what_cannot_work(production, begin, versions, wish):
    with pytest.raises(UsageError):
        begin(*versions, **wish)
    assert production.record().versions == ("v1.0.0",)


def test_what_somebody_else_changed_meanwhile_stays(production, policy, monkeypatch):
    wish = Start(("v1.1.0",), policy=policy, name="eyes")
    whole_change = Environment.change

    def late(self, expected, after, act):
        whole_change(self, expected, whole("v1.2.0"), Act("deploy", "quicker"))
        return whole_change(self, expected, after, act)

    monkeypatch.setattr(Environment, "change", late)
    with pytest.raises(DeploymentError, match="meanwhile"):
        start(production.workspace, replace(wish))
    assert production.record().versions == ("v1.2.0",)
