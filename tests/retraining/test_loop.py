"""The loop: what is done once, what is gone on with, and what never happens to production."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deepfake_lightning.deployment.environment import Environment, main_version
from deepfake_lightning.errors import DataError, StorageError, UsageError
from deepfake_lightning.monitoring.alerts import read_alerts
from deepfake_lightning.registry import Registry
from deepfake_lightning.retraining import loop as loops_module
from deepfake_lightning.retraining import steps as steps_module
from deepfake_lightning.retraining.looking import look
from deepfake_lightning.retraining.loop import retrain
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.retraining.work import Refused
from deepfake_lightning.schemas import Manifest, read_manifest, write_manifest
from deepfake_lightning.storage import lock


@pytest.fixture
def done(monkeypatch):
    """Replace the steps by ones that note that they were done; return the list."""
    names: list[str] = []

    def step(name):
        def do(work):
            names.append(name)
            return {"version": "v1.1.0"} if name == "register" else {}

        return do

    monkeypatch.setattr(loops_module, "STEPS", {name: step(name) for name in loops_module.STEPS})
    return names


def test_without_a_cause_nothing_happens(setting, done):
    found = retrain(setting)
    assert found.loop is None and found.look is not None
    assert found.look.trigger.observed.real == found.look.trigger.observed.fake == 8
    assert not found.look.trigger.fires
    assert done == []
    enough = replace(setting, policy=setting.policy.model_copy(update={"labels": 8}))
    assert retrain(enough).loop.outcome == "done"
    assert done == ["collect", "merge", "train", "register", "evaluate", "stage"]
    again = retrain(enough).look  # these labels have had their turn
    assert (again.trigger.observed.real, again.trigger.fires) == (0, False)


def test_a_look_changes_nothing(setting):
    before = sorted(setting.workspace.root.rglob("*"))
    found = look(setting, "a new forgery")
    assert found.trigger.fires
    assert found.new.counts() == {"misclassified": {"real": 0, "fake": 8},
                                  "other": {"real": 8, "fake": 0}}  # fmt: skip
    assert sorted(setting.workspace.root.rglob("*")) == before


def test_an_interrupted_loop_is_gone_on_with_at_its_step(setting, done, monkeypatch):
    def interrupted(work):
        raise KeyboardInterrupt

    steps = loops_module.STEPS
    monkeypatch.setattr(loops_module, "STEPS", {**steps, "register": interrupted})
    with pytest.raises(KeyboardInterrupt):
        retrain(setting, "why not")
    assert Loops(setting.workspace).latest("production").outcome is None
    monkeypatch.setattr(loops_module, "STEPS", steps)
    found = retrain(setting)
    assert (found.look, found.loop.number, found.loop.attempts) == (None, 1, 2)
    assert done == ["collect", "merge", "train", "register", "evaluate", "stage"]


class Killed(BaseException):
    """Ends the process of a loop before it can note anything."""


def test_a_loop_that_dies_again_and_again_is_given_up_and_told(setting, done, monkeypatch):
    def killed(work):
        (work.folder / "media").mkdir(exist_ok=True)
        raise Killed

    def interrupted(work):
        raise KeyboardInterrupt

    rules = setting.workspace.monitoring / "alerts" / "mine.yaml"
    rules.parent.mkdir()
    rules.write_text("channels: [{kind: file, name: file, path: sent.jsonl}]")
    steps = loops_module.STEPS
    for ends in (Killed, KeyboardInterrupt, *[Killed] * 4):
        step = killed if ends is Killed else interrupted
        monkeypatch.setattr(loops_module, "STEPS", {**steps, "train": step})
        with pytest.raises(ends):
            retrain(setting, "why not")
    record = Loops(setting.workspace).latest("production")
    assert (record.number, record.attempts, record.deaths) == (1, 6, 4)  # the first did two steps
    with pytest.raises(Killed):
        retrain(setting)
    with pytest.raises(StorageError, match="given up at the step train: its process died 5 times"):
        retrain(setting)
    record = Loops(setting.workspace).latest("production")
    assert (record.outcome, record.step) == ("failed", "train")
    assert not (Loops(setting.workspace).folder(1) / "media").exists()
    (sent,) = (rules.parent / "sent.jsonl").read_text().splitlines()
    assert "failed at the step train: its process died 5 times" in sent
    monkeypatch.setattr(loops_module, "STEPS", steps)
    assert retrain(setting, "again").loop.number == 2


def test_a_failure_is_noted_told_and_repeated(setting, done, monkeypatch):
    def full(work):
        raise StorageError("the disk is full")

    rules = setting.workspace.monitoring / "alerts" / "mine.yaml"
    rules.parent.mkdir()
    rules.write_text("channels: [{kind: file, name: file, path: sent.jsonl}]")
    steps = loops_module.STEPS
    monkeypatch.setattr(loops_module, "STEPS", {**steps, "stage": full})
    serves = Environment(setting.workspace, "production").record()
    for failures in (1, 2, 3):
        with pytest.raises(StorageError, match="the disk is full"):
            retrain(setting, "why not")
        record = Loops(setting.workspace).latest("production")
        assert (record.number, record.failures, record.step) == (1, failures, "stage")
        assert (record.outcome, record.note) == ("failed", "the disk is full")
    assert done == ["collect", "merge", "train", "register", "evaluate"]  # once
    sent = (rules.parent / "sent.jsonl").read_text().splitlines()
    assert len(sent) == 3
    assert "failed at the step stage: the disk is full" in sent[0]
    assert Environment(setting.workspace, "production").record() == serves
    with pytest.raises(StorageError):
        retrain(setting, "why not")
    assert Loops(setting.workspace).latest("production").number == 2  # three times is enough
    monkeypatch.setattr(loops_module, "STEPS", steps)
    assert retrain(setting, "again").loop.outcome == "done"


def test_a_training_whose_process_died_is_gone_on_with_and_one_that_cannot_work_is_not(
    setting, done, monkeypatch
):
    faults = [StorageError("its process died"), UsageError("no such flag")]

    def broken(work):
        raise faults[0]

    steps = loops_module.STEPS
    monkeypatch.setattr(loops_module, "STEPS", {**steps, "train": broken})
    with pytest.raises(StorageError):
        retrain(setting, "why not")
    assert look(setting, "again").unfinished.number == 1
    faults.pop(0)
    with pytest.raises(UsageError):
        retrain(setting, "again")
    assert done == ["collect", "merge"]  # once
    record = Loops(setting.workspace).latest("production")
    assert (record.number, record.failures, record.goes_on) == (1, 2, False)
    assert [one.state for one in read_alerts(setting.workspace)] == ["firing"]
    monkeypatch.setattr(loops_module, "STEPS", steps)
    assert retrain(setting, "again").loop.number == 2
    assert [one.state for one in read_alerts(setting.workspace)] == ["resolved"]


def test_what_is_refused_ends_the_loop(setting, done, monkeypatch):
    def refused(work):
        raise Refused("the gate says no")

    monkeypatch.setattr(loops_module, "STEPS", {**loops_module.STEPS, "stage": refused})
    with_media = {
        **loops_module.STEPS,
        "collect": lambda work: (work.folder / "media").mkdir() or {},
    }
    monkeypatch.setattr(loops_module, "STEPS", with_media)
    found = retrain(setting, "why not").loop
    assert (found.outcome, found.step, found.note) == ("refused", "stage", "the gate says no")
    assert not (Loops(setting.workspace).folder(1) / "media").exists()
    (alert,) = read_alerts(setting.workspace)
    assert (alert.rule, alert.subject, alert.state) == ("retraining", "production", "firing")
    assert "was refused at the step stage: the gate says no; what serves goes on" in alert.says
    monkeypatch.setitem(loops_module.STEPS, "collect", lambda work: {})
    worse = {**loops_module.STEPS, "evaluate": lambda work: {"goes": False, "says": ["it forgot"]}}
    monkeypatch.setattr(loops_module, "STEPS", worse)
    found = retrain(setting, "why not").loop
    assert (found.number, found.outcome, found.step) == (2, "refused", "evaluate")


def test_that_there_is_nothing_new_is_no_alert(setting, done, monkeypatch):
    def refused(work):
        raise Refused("there is nothing new")

    monkeypatch.setattr(loops_module, "STEPS", {**loops_module.STEPS, "merge": refused})
    assert retrain(setting, "why not").loop.outcome == "refused"
    assert read_alerts(setting.workspace) == ()


def test_a_schedule_does_not_train_the_same_again(setting, done, monkeypatch, deployed):
    monkeypatch.setitem(loops_module.STEPS, "collect", steps_module.collect)
    policy = setting.policy.model_copy(update={"schedule": "* * * * *", "cool_down_days": 0.0})
    start_us, minute_us = setting.clock(), 60_000_000
    due = [
        replace(setting, policy=policy, clock=lambda at=start_us + number * minute_us: at)
        for number in range(1, 5)
    ]
    assert retrain(due[0]).loop.outcome == "done"
    again = retrain(due[1]).loop
    assert (again.outcome, again.step) == ("refused", "collect")
    assert "v1.1.0 came of the same media in loop 1" in again.note
    assert retrain(due[2], "once more").loop.outcome == "done"
    deployed.reviewed(fake=True)
    assert retrain(due[3]).loop.outcome == "done"


def test_what_is_erased_before_the_training_is_not_trained_on(setting, done, deployed):
    def collect_and_erase(work):
        media = work.folder / "media"
        media.mkdir()
        for name in names:
            (media / f"{name}.jpg").write_bytes(b"a face")
        deployed.log.erase(names[0])
        return {}

    names = [deployed.reviewed(fake=True), deployed.reviewed(fake=True)]
    loops_module.STEPS["collect"] = collect_and_erase
    found = retrain(setting, "why not").loop
    assert done[:3] == ["merge", "merge", "train"]
    folder = Loops(setting.workspace).folder(found.number)
    assert [path.stem for path in (folder / "media").iterdir()] == [names[1]]


def test_what_was_erased_between_two_calls_is_merged_without_it(
    setting, done, monkeypatch, make_rows
):
    def merge(work):
        data = work.folder / "data"
        (data / work.record.name).mkdir(parents=True, exist_ok=True)
        (data / work.record.name / "new.jpg").write_bytes(b"a face")
        rows = make_rows(1, path=[f"{work.record.name}/new.jpg"])
        write_manifest(Manifest(rows, data, data), data / "manifest.parquet")
        return merged(work)

    def interrupted(work):
        raise KeyboardInterrupt

    merged = loops_module.STEPS["merge"]
    steps = {**loops_module.STEPS, "merge": merge}
    monkeypatch.setattr(loops_module, "STEPS", {**steps, "train": interrupted})
    with pytest.raises(KeyboardInterrupt):
        retrain(setting, "why not")
    (picture,) = Loops(setting.workspace).root.glob("*/data/retrain-*/new.jpg")
    picture.unlink()  # as an erasure does
    monkeypatch.setattr(loops_module, "STEPS", steps)
    assert retrain(setting).loop.outcome == "done"
    assert done == ["collect", "merge", "merge", "train", "register", "evaluate", "stage"]


def test_one_loop_at_a_time(setting):
    refused = pytest.raises(UsageError, match="another retraining is at work")
    with lock(setting.workspace.retraining / "loop"), refused:
        retrain(setting, "why not")


def test_a_damaged_record_is_named(setting, done):
    retrain(setting, "why not")
    path = Loops(setting.workspace).folder(1) / "loop.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataError, match="is no record of a loop"):
        retrain(setting, "why not")


@pytest.mark.slow
def test_a_real_loop_ends_in_staging(setting):
    found = retrain(setting, "why not").loop
    assert found.outcome == "done", found.note
    assert list(found.steps) == ["collect", "merge", "train", "register", "evaluate", "stage"]
    place = setting.workspace
    entry = Registry(place).get("v1.1.0")
    assert entry.registration.parent == "v1.0.0"
    assert "why not" in entry.registration.reason
    assert main_version(Environment(place, "staging").record()) == "v1.1.0"
    assert main_version(Environment(place, "production").record()) == "v1.0.0"
    run = Registry(place).run_of(entry)
    trained = read_manifest(run / "manifest.parquet")
    folder = Loops(place).folder(1)
    assert trained.content_hash() == found.result("merge")["content_hash"]
    assert trained.content_hash() == read_manifest(folder / "data/manifest.parquet").content_hash()
    new = trained.rows[trained.rows["dataset"] == "requests"]
    assert len(new) == sum(found.result("merge")["train"].values()) > 0
