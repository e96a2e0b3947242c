"""What is known when it is decided whether to train again."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.monitoring.drift import DriftRecord
from deepfake_lightning.monitoring.drift.records import keep_record
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.retraining import observing
from deepfake_lightning.retraining.collecting import find_new
from deepfake_lightning.retraining.dropped import key_of
from deepfake_lightning.retraining.observing import observe, serves_since
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.retraining.triggers import LastLoop, judge

HOUR_US = 3_600_000_000


@pytest.fixture
def place(production, crop_bundle):
    """Return the workspace, with v1.0.0 in the registry."""
    for version in ("v1.0.0", "v1.1.0"):
        register_bundle(Registry(production.workspace), crop_bundle.folder, Wish(version))
    return production.workspace


def seen(production, now_us=2_000_000_000_000_000):
    return looked(production.workspace, production.log, now_us=now_us)


def looked(place, log=None, known_files=frozenset, now_us=2_000_000_000_000_000, least_labels=1):
    new = find_new(log, place, "production", RetrainPolicy(), files_since_us=0,
                   known_files=known_files)  # fmt: skip
    return observe(log, place, "production", "v1.0.0", now_us=now_us, new=new,
                   least_labels=least_labels)  # fmt: skip


def test_news_count_from_the_latest_loop_that_did_not_fail(place, production):
    registered = seen(production)
    assert registered.last is None
    loops, ends = Loops(place), {}
    for number, outcome in enumerate(("done", "refused", "failed", None)):
        at = 1_900_000_000_000_000 + number * HOUR_US
        record = loops.begin("production", "v1.0.0", "ada", {}, at)
        update = {"outcome": outcome, "finished_us": at + 60_000_000 if outcome else None}
        loops.keep(record.model_copy(update=update))
        ends[outcome] = at
    found = seen(production)
    assert found.since_us == ends["refused"] > registered.since_us
    assert found.last == LastLoop(ends["failed"] + 60_000_000, "failed")


def test_files_count_by_when_they_came_here(place, production, write_picture):
    write_picture(place.data / "images" / "fake" / "a.jpg")
    assert seen(production).files == 1
    at = Path(place.data / "images/fake/a.jpg").stat().st_ctime_ns // 1000
    record = Loops(place).begin("production", "v1.0.0", "ada", {}, at)
    Loops(place).keep(record.model_copy(update={"outcome": "done", "finished_us": at}))
    assert seen(production).files == 0


def test_files_that_had_their_turn_or_are_trained_on_are_not_new(place, production, write_picture):
    paths = [write_picture(place.data / "images" / "fake" / f"{name}.jpg") for name in "abc"]
    loops = Loops(place)
    record = loops.begin("production", "v1.0.0", "ada", {}, 1)
    items = {"items": [{"key": key_of(paths[0].resolve())}]}
    (loops.folder(1) / "collected.json").write_text(json.dumps(items))

    def ends(outcome: str) -> int:
        loops.keep(record.model_copy(update={"outcome": outcome, "finished_us": 2}))
        return looked(place, known_files=lambda: {paths[1].resolve()}).files

    assert ends("done") == ends("refused") == 1
    assert ends("failed") == 2  # it is tried again


def test_files_without_a_label_are_no_cause(place, production, write_picture):
    for number in range(6):
        write_picture(place.data / "images" / f"{number}.jpg")
    found = seen(production)
    assert found.files == 0
    assert not judge(RetrainPolicy(files=5), found).fires


def test_a_kind_with_few_labels_hides_none_with_enough(place, production, monkeypatch):
    figures = {"image": (0.78, 0.74, 0.82, 400), "video": (0.2, 0.1, 0.45, 8)}

    def audited(log, period, scope):
        value, low, high, labels = figures[scope.media_type]
        figure = SimpleNamespace(value=value, low=low, high=high)
        quality = SimpleNamespace(labels=labels, balanced_accuracy=figure)
        return {("v1.0.0", "serving"): quality}

    monkeypatch.setattr(observing, "audited_quality", audited)
    found = looked(place, production.log, least_labels=100)
    assert found.quality is not None
    assert (found.quality.labels, found.quality.high) == (400, 0.82)
    few = looked(place, production.log, least_labels=1)
    assert few.quality is not None
    assert few.quality.labels == 8


def test_drift_counts_once_confirmed_and_new(place, production):
    def keep(start_us, confirmed):
        record = DriftRecord("production", "v1.0.0", start_us, start_us + HOUR_US, 600, 0.7, True,
                             confirmed, (), None, ("brightness moved from 90 to 140",))  # fmt: skip
        keep_record(production.log, record)

    start = seen(production).since_us
    keep(start, confirmed=False)
    assert seen(production).drift == ()
    keep(start + HOUR_US, confirmed=True)
    assert seen(production).drift == ("brightness moved from 90 to 140",)
    record = Loops(place).begin("production", "v1.0.0", "ada", {}, start + 3 * HOUR_US)
    Loops(place).keep(record.model_copy(update={"outcome": "done", "finished_us": start}))
    assert seen(production).drift == ()


def test_a_version_serves_since_it_came_back(place):
    environment = Environment(place, "production")
    for version in ("v1.0.0", "v1.1.0", "v1.0.0"):
        environment.change(environment.record(), whole(version), Act("deploy"))
    changes = environment.history.done("production")
    since = serves_since(place, "production", "v1.0.0")
    assert since is not None
    assert abs(since / 1e6 - datetime.fromisoformat(
        changes[-1].at).timestamp()) < 0.001  # fmt: skip
    assert serves_since(place, "production", "v1.1.0") is None
