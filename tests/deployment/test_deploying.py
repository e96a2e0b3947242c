"""Deploying: the decision is kept, and what serves changes once, or not at all."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest

from deepfake_lightning.data.audit.ledger import ledger_path
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import CanaryPolicy
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.deploying import Wish, champion_of, deploy
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.gate.policy import Cost, GatePolicy, Integration
from deepfake_lightning.errors import DeploymentError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving

# No network is run and no server started: what is left decides in a moment.
QUICK = GatePolicy(cost=Cost(cpu_ms=None, slower=None), integration=Integration(environments=()))
FORCED = {"policy": QUICK, "force": True, "reason": "a test"}


def serve(workspace, *versions, environment="production"):
    """Let versions share an environment."""
    place = Environment(workspace, environment)
    shares = tuple(Serving(version=one, share=1 / len(versions)) for one in versions)
    place.change(place.record(), EnvironmentRecord(serving=shares), Act("deploy"))
    return place


def kept(found):
    return json.loads((found.folder / "decision.json").read_text())


def statuses(found):
    return {one.name: one.status for one in found.decision.checks}


def test_a_no_is_kept_and_changes_nothing(workspace):
    place = serve(workspace, "v1.0.0")
    before = place.path.read_bytes(), place.history.path.read_bytes()
    found = deploy(workspace, Wish("v1.1.0", "production", QUICK, "spring", by="ada"))
    assert (found.decision.outcome, found.change) == ("refused", None)
    assert statuses(found)["staging first"] == "failed"
    assert (place.path.read_bytes(), place.history.path.read_bytes()) == before
    record = kept(found)
    assert (record["outcome"], record["asked"]["by"]) == ("refused", "ada")
    assert found.folder.parent == workspace.deployment / "decisions"
    assert "not let through to production" in (found.folder / "page.html").read_text()
    assert not ledger_path(workspace).exists()  # no look for what fails without one


def test_force_deploys_with_its_reason_and_says_what_failed(workspace):
    place = serve(workspace, "v1.0.0")
    found = deploy(workspace, Wish("v1.1.0", "production", by="ada", **FORCED))
    assert found.decision.outcome == "forced"
    assert place.record().versions == ("v1.1.0",)
    change = place.history.done("production")[-1]
    assert (change.event, change.reason, change.by) == ("force", "a test", "ada")
    assert workspace.deployment / change.decision.path == found.folder
    assert verify_history(workspace) == []
    assert {"staging first", "audit of its data", "gate split"} <= {
        one["name"] for one in kept(found)["checks"] if one["status"] == "failed"
    }


def test_a_decision_that_is_edited_later_is_told(workspace):
    found = deploy(workspace, Wish("v1.1.0", "staging", **FORCED))
    path = found.folder / "decision.json"
    path.write_text(path.read_text().replace('"forced"', '"passed"'))
    (fault,) = verify_history(workspace)
    assert "which record 1 rests on, was changed" in fault


@pytest.mark.parametrize("reason", ["", "  "])
def test_force_needs_a_reason(workspace, reason):
    with pytest.raises(UsageError, match="needs a reason"):
        deploy(workspace, Wish("v1.1.0", "staging", QUICK, reason, force=True))
    assert not (workspace.deployment / "decisions").exists()


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_nothing_that_is_damaged_is_deployed_not_even_by_force(workspace, damage):
    folder = workspace.registry / "models" / "v1.1.0"
    if damage == "gone":
        shutil.rmtree(folder)
    else:
        (folder / "model.onnx").write_bytes(b"\0" + (folder / "model.onnx").read_bytes()[1:])
    place = serve(workspace, "v1.0.0")
    found = deploy(workspace, Wish("v1.1.0", "production", **FORCED))
    assert (found.decision.outcome, found.change) == ("refused", None)
    (hard,) = found.decision.unforceable
    assert hard.name == "bundle" and hard.next_step
    assert place.record().versions == ("v1.0.0",)


def test_a_champion_that_is_gone_blocks_unless_forced(workspace):
    place = serve(workspace, "v1.0.0")
    shutil.rmtree(workspace.registry / "models" / "v1.0.0")
    lenient = QUICK.model_copy(update={"staging_first": ()})
    found = deploy(workspace, Wish("v1.1.0", "production", lenient))
    assert statuses(found)["what serves now"] == "failed"
    assert "v1.0.0" in kept(found)["champion"]["fault"]["what"]
    assert deploy(workspace, Wish("v1.1.0", "production", **FORCED)).change is not None
    assert place.record().versions == ("v1.1.0",)


def test_the_same_version_again_changes_nothing_and_costs_no_look(workspace):
    place = serve(workspace, "v1.1.0")
    before = place.path.read_bytes()
    for name in ("v1.1.0", "1.1.0", "production"):
        found = deploy(workspace, Wish(name, "production", QUICK))
        assert (found.decision.outcome, found.change) == ("nothing to do", None)
    assert place.path.read_bytes() == before
    assert not ledger_path(workspace).exists()


def test_while_several_share_an_environment_only_promote_may_end_it(workspace):
    place = serve(workspace, "v1.0.0", "v1.1.0")
    with pytest.raises(DeploymentError, match=r"v1\.0\.0 and v1\.1\.0 share production") as caught:
        deploy(workspace, Wish("v1.2.0", "production", **FORCED))
    assert "rollback --env production" in caught.value.next_step
    found = deploy(workspace, Wish("v1.1.0", "production", event="promote", **FORCED))
    assert kept(found)["champion"]["version"] == "v1.0.0"
    assert place.record().versions == ("v1.1.0",)


def test_the_shadow_holds_a_deployment_back_too(workspace):
    place = Environment(workspace, "production")
    shadowed = whole("v1.0.0").model_copy(update={"shadow": ("v1.1.0",)})
    place.change(place.record(), shadowed, Act("abtest"))
    with pytest.raises(DeploymentError, match="share production"):
        deploy(workspace, Wish("v1.1.0", "production", **FORCED))


def test_the_champion_is_who_else_has_most_of_the_traffic():
    shares = {"v1.0.0": 0.2, "v1.1.0": 0.5, "v1.2.0": 0.3}
    record = EnvironmentRecord(
        serving=tuple(Serving(version=name, share=share) for name, share in shares.items())
    )
    assert champion_of(record, "v2.0.0") == "v1.1.0"
    assert champion_of(record, "v1.1.0") == "v1.2.0"
    assert champion_of(whole("v1.0.0"), "v1.0.0") is None
    assert champion_of(EnvironmentRecord(), "v1.0.0") is None


def test_what_was_changed_meanwhile_is_not_overwritten(workspace):
    place = serve(workspace, "v1.0.0")

    def meanwhile(what, done, total):
        if what == "deploying":
            place.change(place.record(), whole("v1.2.0"), Act("rollback", "somebody else"))

    with pytest.raises(DeploymentError, match="was changed meanwhile"):
        deploy(workspace, Wish("v1.1.0", "production", **FORCED), progress=meanwhile)
    assert place.record().versions == ("v1.2.0",)
    assert verify_history(workspace) == []


def test_a_dry_run_decides_and_changes_nothing(workspace):
    place = serve(workspace, "v1.0.0")
    found = deploy(workspace, Wish("v1.1.0", "production", dry_run=True, **FORCED))
    assert (found.decision.outcome, found.change) == ("forced", None)
    assert kept(found)["asked"]["dry_run"] is True
    assert place.record().versions == ("v1.0.0",)


def test_a_canary_begins_with_its_first_share(workspace):
    place = serve(workspace, "v1.0.0")
    wish = Wish("v1.1.0", "production", canary=CanaryPolicy(), **FORCED)
    found = deploy(workspace, wish)
    shares = {one.version: one.share for one in place.record().serving}
    assert shares == pytest.approx({"v1.0.0": 0.95, "v1.1.0": 0.05})
    assert found.change.hash == place.record().change
    assert workspace.deployment / found.change.decision.path == found.folder


def test_a_canary_needs_somebody_to_be_held_against(workspace):
    with pytest.raises(UsageError, match="nothing serves in production"):
        deploy(workspace, Wish("v1.1.0", "production", canary=CanaryPolicy(), **FORCED))


def test_a_canary_does_not_begin_on_what_was_changed_meanwhile(workspace):
    place = serve(workspace, "v1.0.0")

    def meanwhile(what, done, total):
        if what == "deploying":
            place.change(place.record(), whole("v1.2.0"), Act("rollback", "somebody else"))

    wish = Wish("v1.1.0", "production", canary=CanaryPolicy(), **FORCED)
    with pytest.raises(DeploymentError, match="was changed meanwhile"):
        deploy(workspace, wish, progress=meanwhile)
    assert place.record().versions == ("v1.2.0",)


def test_licences_are_let_through_by_names_that_there_are(workspace):
    with pytest.raises(UsageError, match="not trained on data under 'Celeb'") as caught:
        deploy(workspace, Wish("v1.1.0", "production", licences=("Celeb",), **FORCED))
    assert "not stated" in caught.value.why


def test_an_unknown_version_or_environment(workspace):
    for wish in (Wish("v9.0.0", "production"), Wish("v1.1.0", "Production!")):
        with pytest.raises(UsageError) as caught:
            deploy(workspace, wish)
        assert caught.value.next_step


def test_staging_counts_for_production_only_with_its_own_bundle(workspace):
    deploy(workspace, Wish("v1.1.0", "staging", **FORCED))
    for version, status in (("v1.1.0", "passed"), ("v1.2.0", "failed")):
        found = deploy(workspace, Wish(version, "production", QUICK))
        assert statuses(found)["staging first"] == status
    deploy(workspace, Wish("v1.2.0", "staging", **FORCED))
    # It serves there no more, and no server of it was tested.
    found = deploy(workspace, Wish("v1.1.0", "production", QUICK))
    assert statuses(found)["staging first"] == "failed"


def test_the_clock_dates_the_decision(workspace):
    clock = lambda: datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)  # noqa: E731
    found = deploy(workspace, Wish("v1.1.0", "staging", **FORCED), clock=clock)
    assert kept(found)["asked"]["at"] == "2030-01-02T03:04:05+00:00"
    assert found.folder.name == "20300102T030405000000Z-staging-v1.1.0"
    assert found.change.at.startswith("2030-01-02T03:04:05")
