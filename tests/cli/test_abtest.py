"""``abtest``: a test of versions from its start to its end, as an operator types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.monitoring.log import ItemScore, Label, LoggedRequest, PredictionLog
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace


@pytest.fixture
def place(crop_bundle, tmp_path):
    """Return a workspace in which v1.0.0 serves, and v1.1.0 passed staging."""
    workspace = Workspace(tmp_path / "mlops")
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        register_bundle(Registry(workspace), crop_bundle.folder, Wish(version))
    for name, version in (("staging", "v1.1.0"), ("production", "v1.0.0")):
        environment = Environment(workspace, name)
        environment.change(environment.record(), whole(version), Act("deploy", "the first"))
    return workspace


@pytest.fixture
def run(place, capsys):
    """Return a function that runs ``abtest``: its exit code, and what it printed."""

    def ran(*args):
        code = main(["abtest", *args, "--workspace", str(place.root)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return ran


def shares(place):
    return {one.version: one.share for one in Environment(place, "production").record().serving}


def log_pairs(place, experiment, number):
    """Log requests in the shadow: v1.0.0 is wrong on every fourth, v1.1.0 on none."""
    now = round(datetime.now(UTC).timestamp() * 1e6)
    rows, labels = [], []
    for place_of in range(number):
        fake, name = place_of % 2, f"{place_of:032x}"
        right = {"v1.1.0": True, "v1.0.0": place_of % 8 > 1}
        items = [
            ItemScore(0, "ok", 0.0, 0.5, True, 1, 1, version, "ab" * 32,
                      variant="serving" if version == "v1.0.0" else "shadow",
                      verdict="manipulation_indicated" if bool(fake) is right[version]
                      else "no_indication")
            for version in ("v1.0.0", "v1.1.0")
        ]  # fmt: skip
        rows.append(LoggedRequest(
            name, now, "v1.0.0", "ab" * 32, "/v1/predict", 200, 100, 5000, items=tuple(items),
            environment="production", experiment=experiment,
        ))  # fmt: skip
        labels.append(Label(name, now + place_of, fake, "desk", source="review"))
    with PredictionLog(place.monitoring / "predictions.db") as log:
        log.append_many(rows)
        for one in labels:
            assert log.label(one)


def test_from_start_to_stop(place, run):
    code, said = run("start", "v1.1.0", "--share", "0.2", "--name", "eyes", "--reason", "sharper")
    assert code == 0
    assert "eyes runs in production: v1.0.0 0.8, v1.1.0 0.2" in said
    assert "next: deepfake-lightning abtest status --env production" in said
    assert shares(place) == {"v1.0.0": 0.8, "v1.1.0": 0.2}

    code, said = run("status")
    assert code == 0
    assert "cannot tell yet" in said
    assert "missing: no request has a label of review" in said
    assert "better than" not in said.replace("is better than", "")
    assert (place.deployment / "experiments" / "eyes.html").is_file()

    code, said = run("list")
    assert code == 0
    assert "eyes" in said
    assert "runs" in said

    code, said = run("stop")
    assert code == 2
    assert "--reason" in said
    code, said = run("stop", "--reason", "the media changed", "--keep", "v1.1.0")
    assert code == 2
    assert "abtest promote v1.1.0" in said
    code, said = run("stop", "--reason", "the media changed")
    assert code == 0
    assert "eyes is ended; production serves v1.0.0" in said
    assert shares(place) == {"v1.0.0": 1.0}
    assert list((place.deployment / "decisions").glob("*-production-abtest-eyes/page.html"))
    code, said = run("stop", "--reason", "again")
    assert code == 2
    assert "does not run" in said
    code, said = run("list", "--json", "true")
    (one,) = json.loads(said)["experiments"]
    assert (one["state"], one["outcome"], one["name"]) == ("ended", "v1.0.0", "eyes")


def test_status_as_json_says_who_wins(place, run, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("least_days: 0\n")
    assert run("start", "v1.1.0", "--mode", "shadow", "--policy", str(rules))[0] == 0
    log_pairs(place, "v1.1.0-against-v1.0.0", 160)
    code, said = run("status", "--json", "true")
    assert code == 0
    record = json.loads(said)
    assert record["winner"] == "v1.1.0"
    assert record["challengers"][0]["verdict"] == "better"
    assert record["arms"][0]["value"] == 0.75
    code, said = run("status")
    assert "v1.1.0 is better than v1.0.0: +25.00 points" in said
    assert max(map(len, said.splitlines()[2:9])) <= 100
    assert "next: deepfake-lightning abtest promote v1.1.0 --env production" in said


def test_there_is_nothing_to_promote_without_labels(place, run):
    assert run("promote")[0] == 2
    assert run("start", "v1.1.0")[0] == 0
    code, said = run("promote")
    assert code == 2
    assert "has no winner" in said
    assert "too few labels" in said
    code, said = run("promote", "v1.1.0")
    assert code == 2
    assert "does not say that v1.1.0 should be promoted" in said
    code, said = run("promote", "v1.1.0", "--force", "true")
    assert code == 2
    assert "--force needs a reason" in said
    assert len(shares(place)) == 2


def test_what_never_passed_a_gate_is_refused(place, run):
    code, said = run("start", "v1.2.0")
    assert code == 2
    assert "v1.2.0 never passed a gate" in said
    assert "Traceback" not in said
    assert shares(place) == {"v1.0.0": 1.0}


def test_there_are_none_at_first(run):
    code, said = run("list")
    assert code == 0
    assert "there was no A/B test" in said
    code, said = run("status")
    assert code == 2
    assert "there is no experiment" in said
    code, said = run("status", "--name", "ears")
    assert code == 2
    assert "there is no experiment ears" in said


def test_the_gate_may_say_no_to_a_winner(place, run, tmp_path):
    rules, gate = tmp_path / "rules.yaml", tmp_path / "gate.yaml"
    rules.write_text("least_days: 0\n")
    gate.write_text("integration: {environments: []}\ncost: {cpu_ms: null, slower: null}\n")
    assert run("start", "v1.1.0", "--mode", "shadow", "--policy", str(rules))[0] == 0
    log_pairs(place, "v1.1.0-against-v1.0.0", 160)
    code, said = run("promote", "--policy", str(gate))
    assert code == 4
    assert "v1.1.0 is not let through to production" in said
    assert "what the test said: " in said
    assert Environment(place, "production").record().shadow == ("v1.1.0",)  # it goes on
