"""What earlier deployments count for: decisions in the history that are what they were."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.gate.judge import judge
from deepfake_lightning.deployment.gate.policy import GatePolicy, Integration
from deepfake_lightning.deployment.gate.recorded import recorded_tests, seen_in_staging
from deepfake_lightning.deployment.integration import IntegrationPlan
from deepfake_lightning.storage import write_json

NOW = datetime(2030, 1, 3, tzinfo=UTC)
DIGEST = "b" * 64


@pytest.fixture
def deployed(workspace, evidence):
    """Return a function that lets staging take a version by a decision: ``deployed(tested=)``."""

    def deploy(version="v1.1.0", **parts):
        folder = workspace.deployment / "decisions" / f"{len(parts)}-{version}"
        policy = GatePolicy(integration=Integration(environments=()))
        record = judge(policy, replace(evidence, **parts)).to_dict()
        write_json(folder / "decision.json", json.loads(json.dumps(record)))
        place = Environment(workspace, "staging")
        decision = folder.relative_to(workspace.deployment).as_posix()
        place.change(place.record(), whole(version), Act("deploy", decision=decision))
        return folder

    return deploy


def trial_of(workspace, now=NOW, digest=DIGEST, **rule):
    return recorded_tests(workspace, digest, now, Integration(**rule))


def test_nothing_is_known_of_a_bundle_that_was_never_deployed(workspace, deployed):
    assert trial_of(workspace) is None
    deployed()
    assert trial_of(workspace, digest="c" * 64) is None
    assert trial_of(workspace, digest=None) is None


def test_passed_tests_of_the_same_bundle_count_for_so_many_days(workspace, deployed):
    folder = deployed()
    found = trial_of(workspace)
    assert (found.passed, found.checks[0].name) == (True, "ready")
    assert found.recorded == f"decisions/{folder.name}"
    assert trial_of(workspace, now=NOW + timedelta(days=40)) is None
    assert trial_of(workspace, recorded_days=0) is None
    assert trial_of(workspace, plan=IntegrationPlan(p95_ms=5.0)) is None  # other limits


def test_a_decision_that_was_edited_counts_for_nothing(workspace, deployed):
    path = deployed() / "decision.json"
    path.write_text(path.read_text() + "\n")
    assert trial_of(workspace) is None
    assert seen_in_staging(workspace, "v1.1.0", DIGEST).passed is None


def test_staging_is_remembered_only_with_a_server_that_was_tested(workspace, deployed):
    assert seen_in_staging(workspace, "v1.1.0", DIGEST).serves is False
    deployed(tested=None)
    seen = seen_in_staging(workspace, "v1.1.0", DIGEST)
    assert (seen.serves, seen.passed) == (True, None)
    deployed()
    place = Environment(workspace, "staging")
    change = place.change(place.record(), whole("v2.0.0"), Act("rollback"))
    seen = seen_in_staging(workspace, "v1.1.0", DIGEST)
    assert seen.serves is False
    assert seen.passed == place.history.done("staging")[-2].at < change.at


def test_another_kind_of_decision_is_passed_over(workspace):
    write_json(workspace.deployment / "canary" / "x.json", {"schema": 1})
    place = Environment(workspace, "staging")
    place.change(place.record(), whole("v1.1.0"), Act("canary", decision="canary/x.json"))
    assert trial_of(workspace) is None
