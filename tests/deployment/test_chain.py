"""The record of what served: what was changed afterwards is found."""

from __future__ import annotations

import json

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.history import History
from deepfake_lightning.errors import DeploymentError
from deepfake_lightning.storage import Workspace


@pytest.fixture
def place(tmp_path):
    """Return a workspace with five changes, the third with a decision."""
    workspace = Workspace(tmp_path / "mlops")
    decision = workspace.deployment / "decisions/one"
    decision.mkdir(parents=True)
    (decision / "decision.json").write_text("{}")
    for number in range(5):
        environment = Environment(workspace, ("production", "staging")[number % 2])
        rests = "decisions/one" if number == 2 else None
        act = Act("deploy", f"reason {number}", "ada", rests)
        environment.change(environment.record(), whole(f"v{number}.0.0"), act)
    assert verify_history(workspace) == []
    return workspace


def lines(place):
    return History(place).path.read_text().splitlines()


def write(place, found):
    History(place).path.write_text("".join(f"{line}\n" for line in found))


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("what", ["by", "reason", "at", "event", "after"])
def test_a_changed_record_is_found(place, number, what):
    found = lines(place)
    record = json.loads(found[number])
    record[what] = {
        "by": "eve", "reason": "", "at": "2026-01-01T00:00:00+00:00", "event": "rollback",
        "after": whole("v9.0.0").model_dump(mode="json", by_alias=True),
    }[what]  # fmt: skip
    found[number] = json.dumps(record)
    write(place, found)
    assert any(f"record {number + 1}" in fault and "changed" in fault
               for fault in verify_history(place))  # fmt: skip


@pytest.mark.parametrize("number", range(5))
def test_a_missing_record_is_found(place, number):
    found = lines(place)
    del found[number]
    write(place, found)
    assert any("missing" in fault for fault in verify_history(place))


def test_records_in_another_order_are_found(place):
    found = lines(place)
    write(place, [found[1], found[0], *found[2:]])
    assert verify_history(place)


def test_a_lost_history_is_found(place):
    History(place).path.unlink()
    faults = verify_history(place)
    assert any("production names record" in fault and "missing" in fault for fault in faults)


def test_a_line_that_is_no_record_is_found_and_stops_who_needs_it(place):
    write(place, [*lines(place)[:2], "{}", *lines(place)[3:]])
    assert "line 3 is no record of a change" in verify_history(place)
    with pytest.raises(DeploymentError, match="line 3"):
        History(place).changes()


def test_a_changed_or_lost_decision_is_found(place):
    decision = place.deployment / "decisions/one/decision.json"
    decision.write_text('{"passed": true}')
    assert verify_history(place) == ["decisions/one, which record 3 rests on, was changed"]
    decision.unlink()
    assert verify_history(place) == ["decisions/one, which record 3 rests on, is gone"]


def test_what_serves_without_a_record_is_found(place):
    path = place.environments / "production.json"
    path.write_text(path.read_text().replace("v4.0.0", "v7.0.0"))
    assert verify_history(place) == ["what serves in production was changed by hand, and not noted"]
    path.write_text("{")
    assert any("cannot be read" in fault for fault in verify_history(place))
