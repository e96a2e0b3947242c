"""The one way to change what serves."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import (
    Environment,
    main_version,
    sole_version,
    whole,
)
from deepfake_lightning.errors import DeploymentError, StorageError, UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving
from deepfake_lightning.storage import Workspace, write_json

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def place(tmp_path):
    return Workspace(tmp_path / "mlops")


@pytest.fixture
def production(place):
    return Environment(place, "production", clock=lambda: NOON)


def shared(*shares):
    return EnvironmentRecord(serving=tuple(Serving(version=v, share=s) for v, s in shares))


def go(environment, version, event="deploy", reason=""):
    return environment.change(environment.record(), whole(version), Act(event, reason, "ada"))


def by_hand(environment, record):
    write_json(environment.path, record.model_dump(mode="json", by_alias=True))


def test_a_change_says_who_when_and_why_in_file_and_history(production):
    change = go(production, "v1.0.0", reason="the first")
    now = production.record()
    assert sole_version(now) == "v1.0.0"
    assert (now.by, now.reason, now.changed) == (
        "ada",
        "the first",
        "2026-01-01T12:00:00.000000+00:00",
    )
    assert now.change == change.hash
    assert production.history.changes() == [change]
    assert (change.number, change.event, change.before) == (1, "deploy", EnvironmentRecord())


def test_what_was_decided_on_something_else_is_refused(production):
    seen = production.record()
    go(production, "v1.0.0")
    with pytest.raises(DeploymentError, match=r"changed meanwhile by ada.*v1.0.0 serves now"):
        production.change(seen, whole("v2.0.0"), Act("deploy"))
    assert sole_version(production.record()) == "v1.0.0"
    assert len(production.history.changes()) == 1


def test_of_several_at_once_one_changes_it(production):
    seen = production.record()

    def attempt(number):
        try:
            return production.change(seen, whole(f"v{number}.0.0"), Act("deploy"))
        except DeploymentError:
            return None

    with ThreadPoolExecutor(8) as pool:
        done = [one for one in pool.map(attempt, range(1, 9)) if one is not None]
    assert len(done) == 1
    assert production.record().change == done[0].hash


def test_a_name_that_is_no_file_is_refused(place):
    for name in ("../production", "", "Production", "a/b"):
        with pytest.raises(UsageError, match="no name of an environment"):
            Environment(place, name)


def test_a_decision_that_is_not_there_changes_nothing(production):
    for decision in ("decisions/none", "../registry"):
        with pytest.raises(UsageError):
            production.change(
                production.record(), whole("v1.0.0"), Act("deploy", decision=decision)
            )
    assert production.record() == EnvironmentRecord()
    assert production.history.changes() == []


def test_a_disk_that_refuses_leaves_what_serves(production):
    go(production, "v1.0.0")
    before = production.record()
    production.history.path.unlink()
    production.history.path.mkdir()  # root may write everywhere but here
    with pytest.raises(StorageError):
        production.change(before, whole("v2.0.0"), Act("deploy"))
    assert production.record() == before


def test_the_way_back_goes_one_version_at_a_time(production):
    assert production.previous() is None
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        go(production, version)
    assert production.previous() == "v1.1.0"
    go(production, "v1.1.0", "rollback")
    assert production.previous() == "v1.0.0"
    go(production, "v1.0.0", "rollback")
    assert production.previous() is None
    go(production, "v2.0.0")
    assert production.previous() == "v1.0.0"


def test_from_a_canary_the_way_back_is_the_version_that_had_it_all(production):
    go(production, "v1.0.0")
    canary = shared(("v1.0.0", 0.95), ("v1.1.0", 0.05))
    production.change(production.record(), canary, Act("canary"))
    assert main_version(production.record()) == "v1.0.0"
    assert production.previous() == "v1.0.0"


def test_what_was_changed_by_hand_is_noted_before_the_next_change(production):
    by_hand(production, whole("v1.0.0"))
    go(production, "v1.1.0")
    by_hand(production, whole("v1.2.0"))
    go(production, "v2.0.0")
    events = [(one.event, sole_version(one.after)) for one in production.history.changes()]
    assert events == [
        ("manual", "v1.0.0"), ("deploy", "v1.1.0"), ("manual", "v1.2.0"), ("deploy", "v2.0.0"),
    ]  # fmt: skip
    assert production.previous() == "v1.2.0"
    assert verify_history(production.workspace) == []


def test_a_change_that_was_cut_short_is_noted_as_such(production):
    go(production, "v1.0.0")
    before = production.path.read_bytes()
    go(production, "v1.1.0")
    production.path.write_bytes(before)  # as if killed between the record and the file
    assert production.previous() is None
    assert verify_history(production.workspace) == []
    go(production, "v1.2.0")
    assert [one.event for one in production.history.changes()] == [
        "deploy", "deploy", "interrupted", "deploy",
    ]  # fmt: skip
    assert production.previous() == "v1.0.0"
    assert verify_history(production.workspace) == []


def test_half_a_line_of_a_killed_writer_is_no_record(production):
    first = go(production, "v1.0.0")
    with production.history.path.open("ab") as file:
        file.write(b'{"schema": 1, "numb')
    assert production.history.changes() == [first]
    second = go(production, "v1.1.0")
    assert production.history.changes() == [first, second]
    assert verify_history(production.workspace) == []


def test_a_server_that_follows_has_taken_it_or_not(production):
    change = go(production, "v1.0.0")
    assert not production.wait_taken(change, 0.1)
    taken = production.workspace.serving / "production.json"
    write_json(taken, production.record().model_dump(mode="json", by_alias=True))
    assert production.wait_taken(change, 0.1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
def test_whatever_is_done_the_chain_holds_and_back_is_where_it_was(tmp_path_factory, steps):
    environment = Environment(Workspace(tmp_path_factory.mktemp("chain")), "staging")
    for version, back in steps:
        target = environment.previous() if back else f"v{version}.0.0"
        if target is not None and target != sole_version(environment.record()):
            go(environment, target, "rollback" if back else "deploy")
            assert environment.previous() != target
    assert verify_history(environment.workspace) == []


def _change_for_ever(root):
    environment = Environment(Workspace(root), "production")
    for number in range(10_000):
        go(environment, f"v{number % 7}.0.0")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whoever_is_killed_leaves_one_of_two_states(place):
    moments = random.Random(0)
    spawn = multiprocessing.get_context("spawn")
    for _ in range(50):
        process = spawn.Process(target=_change_for_ever, args=(place.root,))
        process.start()
        end = time.monotonic() + 20
        size = place.deployment.joinpath("history.jsonl")
        seen = size.stat().st_size if size.exists() else 0
        while not size.exists() or size.stat().st_size == seen:
            assert time.monotonic() < end
        time.sleep(moments.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert verify_history(place) == []
        environment = Environment(place, "production")
        changes, now = environment.history.changes(), environment.record()
        assert json.loads(environment.path.read_text())["change"] in {one.hash for one in changes}
        assert sole_version(now) in {
            sole_version(changes[-1].after),
            sole_version(changes[-1].before),
        }
        go(environment, "v9.0.0")
        assert verify_history(place) == []
