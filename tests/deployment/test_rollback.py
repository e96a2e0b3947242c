"""Back to a version that served before."""

from __future__ import annotations

import shutil

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment, sole_version, whole
from deepfake_lightning.deployment.rollback import roll_back
from deepfake_lightning.errors import BundleError, DeploymentError, RegistryError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving
from deepfake_lightning.storage import write_json


@pytest.fixture
def production(workspace):
    """Return the environment: v1.0.0 served it, and v1.1.0 does."""
    environment = Environment(workspace, "production")
    for version in ("v1.0.0", "v1.1.0"):
        environment.change(environment.record(), whole(version), Act("deploy"))
    return environment


def back(environment, **more):
    return roll_back(environment, "it is slow", by="ada", wait_seconds=0.0, **more)


def damage(environment, version):
    weights = environment.workspace.registry / "models" / version / "model.onnx"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")


def test_it_goes_to_the_version_before_and_is_recorded(production):
    done = back(production)
    assert (done.target, sole_version(production.record())) == ("v1.0.0", "v1.0.0")
    assert (done.change.event, done.change.by, done.change.reason) == (
        "rollback", "ada", "it is slow"
    )  # fmt: skip
    assert (done.taken, done.seconds) == (False, None)  # no server runs
    assert verify_history(production.workspace) == []


def test_it_goes_to_the_version_that_is_named_also_one_that_never_served(production):
    assert back(production, to="2.0.0").target == "v2.0.0"
    assert sole_version(production.record()) == "v2.0.0"


def test_what_is_there_already_is_not_changed(production):
    before = production.record()
    done = back(production, to="v1.1.0")
    assert done.change is None and done.target == "v1.1.0"
    assert production.record() == before
    assert len(production.history.changes()) == 2


def test_it_ends_shares_shadows_and_experiments(production):
    shared = EnvironmentRecord(
        serving=(Serving(version="v1.1.0", share=0.6), Serving(version="v2.0.0", share=0.4)),
        shadow=("v1.2.0",), experiment="spring",
    )  # fmt: skip
    production.change(production.record(), shared, Act("abtest"))
    assert back(production).target == "v1.1.0"  # it had all the traffic last
    now = production.record()
    assert (now.versions, now.experiment) == (("v1.1.0",), None)
    alone_but_for_a_shadow = whole("v1.1.0").model_copy(update={"shadow": ("v1.2.0",)})
    production.change(now, alone_but_for_a_shadow, Act("abtest"))
    assert back(production, to="v1.1.0").change is not None
    assert production.record().shadow == ()


@pytest.mark.parametrize("gone", [True, False])
def test_it_works_where_what_serves_is_gone_or_damaged(production, gone):
    if gone:
        shutil.rmtree(production.workspace.registry / "models" / "v1.1.0")
    else:
        damage(production, "v1.1.0")
    assert back(production).target == "v1.0.0"


def test_a_damaged_target_changes_nothing_and_others_are_named(production):
    production.change(production.record(), whole("v1.2.0"), Act("deploy"))
    before = production.record()
    damage(production, "v1.1.0")
    with pytest.raises(BundleError) as caught:
        back(production)
    assert "model.onnx" in caught.value.what
    assert "v1.2.0, v1.0.0" in caught.value.next_step
    assert production.record() == before
    shutil.rmtree(production.workspace.registry / "models" / "v1.1.0")
    with pytest.raises(RegistryError, match="is gone"):
        back(production)
    assert back(production, to="v1.0.0").target == "v1.0.0"


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_is_needed(production, reason):
    with pytest.raises(UsageError, match="needs a reason"):
        roll_back(production, reason)


def test_where_there_is_no_version_before_it_says_so(workspace):
    environment = Environment(workspace, "staging")
    with pytest.raises(DeploymentError, match="no version served staging before"):
        back(environment)
    with pytest.raises(UsageError, match=r"v9\.9\.9 is not registered"):
        back(environment, to="v9.9.9")
    assert not environment.path.exists()


def test_somebody_who_changes_it_at_the_same_time_does_not_hinder_it(production, monkeypatch):
    change = Environment.change

    def after_another(self, expected, after, act):
        monkeypatch.setattr(Environment, "change", change)
        change(self, expected, whole("v1.2.0"), Act("deploy"))
        return change(self, expected, after, act)

    monkeypatch.setattr(Environment, "change", after_another)
    assert back(production, to="v1.0.0").before.versions == ("v1.2.0",)
    assert sole_version(production.record()) == "v1.0.0"


def test_only_from_what_was_expected(production):
    seen = production.record()
    production.change(seen, whole("v1.2.0"), Act("deploy"))
    with pytest.raises(DeploymentError, match="changed meanwhile"):
        back(production, to="v1.0.0", expected=seen)


def test_a_server_that_takes_it_is_waited_for(production, monkeypatch):
    change = Environment.change

    def and_serve(self, expected, after, act):
        done = change(self, expected, after, act)
        record = self.record().model_dump(mode="json", by_alias=True)
        write_json(self.workspace.serving / "production.json", record)
        return done

    monkeypatch.setattr(Environment, "change", and_serve)
    done = roll_back(production, "it is slow", wait_seconds=5)
    assert done.taken
    assert 0 <= done.seconds < 1
