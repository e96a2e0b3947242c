"""A canary with a real registry, environment and prediction log; the clock is turned by hand."""

from __future__ import annotations

import json

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import (
    CanaryPolicy,
    abort,
    begin,
    look,
    read_state,
    standing,
    step,
)
from deepfake_lightning.deployment.canary.state import state_path, write_state
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import sole_version, whole
from deepfake_lightning.deployment.rollback import roll_back
from deepfake_lightning.errors import BundleError, DeploymentError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord

CHAMPION, CANDIDATE = "v1.0.0", "v1.1.0"
GOOD = {CHAMPION: 40, CANDIDATE: 20}


def shares(environment):
    return [(one.version, round(one.share, 6)) for one in environment.record().serving]


def go(environment, log, clock):
    return step(environment, log=log, now=clock(), wait_seconds=0.0)


def test_a_canary_goes_all_the_way(begun, log, answer, clock, taken):
    name = begun.record().experiment
    assert shares(begun) == [(CHAMPION, 0.95), (CANDIDATE, 0.05)]
    seen = []
    for _ in range(20):
        answer(GOOD)
        decision = go(begun, log, clock)
        taken(begun)
        if decision.verdict != "hold":
            seen.append((decision.verdict, shares(begun)))
        if decision.end:
            break
        assert begun.record().experiment == name  # clients stay with the candidate
    assert seen == [
        ("advance", [(CHAMPION, 0.75), (CANDIDATE, 0.25)]),
        ("advance", [(CHAMPION, 0.5), (CANDIDATE, 0.5)]),
        ("done", [(CANDIDATE, 1.0)]),
    ]
    assert decision.end == "done"
    assert [one.event for one in begun.history.done("production")] == [
        "deploy", "canary", "canary", "canary", "canary"
    ]  # fmt: skip
    assert all(one.decision for one in begun.history.done("production")[2:])
    assert verify_history(begun.workspace) == []
    again = go(begun, log, clock)
    assert (again.verdict, again.end) == ("ended", "done")
    assert f"{CANDIDATE} has all the traffic" in again.reasons[0]
    assert begun.previous() == CHAMPION


def test_a_bad_one_is_rolled_back_with_the_reasons_and_a_count(begun, log, answer, clock):
    answer(GOOD)
    assert go(begun, log, clock).verdict == "hold"
    answer(GOOD, bad={CANDIDATE: 15})
    decision = go(begun, log, clock)
    assert (decision.verdict, decision.end) == ("roll_back", "rolled_back")
    assert sole_version(begun.record()) == CHAMPION
    change = begun.history.done("production")[-1]
    assert change.event == "rollback"
    assert "errors: " in change.reason and "broken since" in change.reason
    kept = json.loads((begun.workspace.deployment / change.decision.path).read_text())
    assert kept["verdict"] == "roll_back"
    assert decision.answered == 40
    later = go(begun, log, clock)
    assert (later.verdict, later.end, later.answered) == ("ended", "rolled_back", 40)
    assert verify_history(begun.workspace) == []


def test_no_data_no_promotion(begun, log, answer, clock):
    clock.pass_minutes(60)
    decision = go(begun, log, clock)
    assert decision.verdict == "hold"
    said = "\n".join(decision.reasons)
    assert "no request came since the canary began (2026-01-01 12:00 UTC)" in said
    assert "v1.1.0 answered 0 of 20 requests" in said


def test_without_a_log_nothing_is_decided(begun, clock):
    clock.pass_minutes(60)
    decision = go(begun, None, clock)
    assert decision.verdict == "hold" and "no prediction log" in decision.reasons[0]


def test_old_evidence_does_not_promote(begun, log, answer, clock):
    for _ in range(4):
        answer(GOOD)
    clock.pass_minutes(10)
    decision = go(begun, log, clock)
    assert decision.verdict == "hold"
    assert decision.reasons == ("no request came since 2026-01-01 12:04 UTC: the evidence is old",)


def test_the_minute_that_is_not_over_does_not_count(begun, log, answer, clock):
    for _ in range(4):
        answer(GOOD)
    clock.pass_minutes(-0.2)  # 12:03:58, in the fourth minute
    assert go(begun, log, clock).judgement.requests == 40  # 12:01 and 12:02; 12:00 it began


def test_a_step_that_no_server_has_taken_is_not_left(production, policy, log, answer, clock):
    begin(production, CANDIDATE, policy, Act("canary"), now=clock())
    for _ in range(5):
        answer(GOOD)
    decision = go(production, log, clock)
    assert decision.verdict == "hold"
    assert "no running server has taken the step" in decision.reasons[0]


def test_looking_changes_nothing(begun, log, answer, clock):
    for _ in range(4):
        answer(GOOD)
    before = begun.record()
    assert look(begun, log=log, now=clock()).verdict == "advance"
    assert begun.record() == before


def test_a_kill_between_file_and_environment_leaves_no_canary(production, policy, clock, log):
    begin(production, CANDIDATE, policy, Act("canary"), now=clock())
    state = read_state(production)
    roll_back(production, "back", wait_seconds=0)
    # The file is written first; whoever is killed then has shared no traffic.
    write_state(production, state.model_copy(update={"experiment": "production-never"}))
    decision = go(production, log, clock)
    assert (decision.verdict, decision.end) == ("ended", "other")
    assert "interrupted before it got any traffic" in decision.reasons[0]
    clock.pass_minutes(1)
    assert begin(production, CANDIDATE, policy, Act("canary"), now=clock())


def test_somebody_elses_rollback_ends_it(begun, log, clock):
    roll_back(begun, "the newsroom complains", by="ada", wait_seconds=0)
    decision = go(begun, log, clock)
    assert (decision.verdict, decision.end) == ("ended", "other")
    assert decision.reasons[0].startswith("ada ended it at 5 %, 2026-01-01 12:00 UTC (rollback)")
    assert "the newsroom complains" in decision.reasons[0]


def test_a_rollback_in_the_middle_of_a_step_wins(begun, log, answer, clock, monkeypatch):
    for _ in range(4):
        answer(GOOD)
    change = type(begun).change

    def after_another(self, expected, after, act):
        monkeypatch.setattr(type(begun), "change", change)
        roll_back(begun, "faster", by="ada", wait_seconds=0)
        return change(self, expected, after, act)

    monkeypatch.setattr(type(begun), "change", after_another)
    decision = go(begun, log, clock)
    assert (decision.verdict, decision.end) == ("ended", "other")
    assert sole_version(begun.record()) == CHAMPION


def test_shares_that_were_changed_by_hand_end_it(begun, log, clock):
    text = begun.path.read_text().replace("0.95", "0.5").replace("0.05", "0.5")
    begun.path.write_text(text)
    decision = go(begun, log, clock)
    assert (decision.verdict, decision.end) == ("ended", "other")
    assert "changed by hand" in decision.reasons[0]


def test_abort_gives_the_champion_all_the_traffic(begun, log, clock):
    with pytest.raises(UsageError, match="needs a reason"):
        abort(begun, " ")
    done = abort(begun, "the newsroom complains", by="ada", wait_seconds=0)
    assert (done.target, sole_version(begun.record())) == (CHAMPION, CHAMPION)
    assert go(begun, log, clock).end == "other"
    with pytest.raises(DeploymentError, match="has ended"):
        abort(begun, "again")


def test_what_was_decided_on_something_else_begins_nothing(production, policy, clock):
    seen = production.record()
    production.change(seen, whole("v1.2.0"), Act("deploy", "meanwhile", "ada"))
    with pytest.raises(DeploymentError, match=r"changed meanwhile by ada.*v1.2.0 serves now"):
        begin(production, CANDIDATE, policy, Act("canary"), now=clock(), expected=seen)
    assert shares(production) == [("v1.2.0", 1.0)]
    assert read_state(production) is None


def test_where_it_cannot_begin(production, policy, clock):
    def start(candidate=CANDIDATE):
        return begin(production, candidate, policy, Act("canary"), now=clock())

    with pytest.raises(DeploymentError, match=r"v1.0.0 serves production already"):
        start(CHAMPION)
    with pytest.raises(UsageError, match=r"v9\.9\.9 is not registered"):
        start("v9.9.9")
    weights = production.workspace.registry / "models" / CANDIDATE / "model.onnx"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleError):
        start()
    assert not state_path(production).exists()
    start("v1.2.0")
    with pytest.raises(DeploymentError, match="several versions serve in production"):
        start("v2.0.0")


def test_nothing_to_compare_with_is_said(production, policy, clock):
    production.change(production.record(), EnvironmentRecord(), Act("deploy", "out of service"))
    with pytest.raises(DeploymentError, match="nothing serves in production"):
        begin(production, CANDIDATE, policy, Act("canary"), now=clock())
    with pytest.raises(DeploymentError, match="there never was a canary"):
        look(production, log=None, now=clock())


def test_a_damaged_champion_is_said_where_it_should_take_over(begun, log, answer, clock):
    (begun.workspace.registry / "models" / CHAMPION / "model.onnx").unlink()
    answer(GOOD)
    answer(GOOD, bad={CANDIDATE: 20})
    with pytest.raises(BundleError, match=r"model.onnx") as caught:
        go(begun, log, clock)
    assert "is what to go back to; nothing was changed" in caught.value.why


def test_the_policy_is_the_one_it_began_with(begun, log, clock):
    policies = begun.workspace.deployment / "policy"
    policies.mkdir()
    (policies / "canary.yaml").write_text("minutes: 1\n")
    assert standing(begun, read_state(begun)).step == 0
    assert go(begun, log, clock).state.policy == CanaryPolicy(minutes=3, requests=20)


def test_a_deploy_after_it_is_no_end_of_the_canarys_own(begun, log, clock):
    begun.change(begun.record(), whole("v2.0.0"), Act("force", "urgent", "ada"))
    assert go(begun, log, clock).end == "other"
