"""Windows that are due are judged once, kept, and lead to their requests."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.drift import (
    DriftPolicy,
    check_drift,
    examples,
    read_drift,
    set_baseline,
)
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.storage import Workspace

NOON, MINUTE = 1_700_049_600_000_000, 60_000_000
POLICY = DriftPolicy(items=250, minutes=30, least_items=200, sampled=250)


def _check(log, workspace, minute, policy=POLICY, **more):
    now = NOON + minute * MINUTE
    return check_drift(log, workspace, environment="production", now_us=now, policy=policy, **more)


@dataclass
class Period:
    start_us: int
    end_us: int


def test_a_shift_is_found_confirmed_and_leads_to_its_requests(place, workspace, request):
    traffic_class = type(request.getfixturevalue("traffic"))
    with PredictionLog(place) as log:
        traffic = traffic_class(log)
        traffic.send(250, minutes=30)
        clean = traffic.send(125, minute=30, minutes=30, roll_up=False)
        dark = traffic.send(125, minute=30, minutes=30, shift=-4)
        traffic.send(250, minute=60, minutes=30, shift=-4)
        found = _check(log, workspace, 100)
        starts = [(one.start_us - NOON) // MINUTE for one in found]
        assert starts == [0, 30, 60]
        assert [one.moved for one in found] == [False, True, True]
        assert [one.confirmed for one in found] == [False, False, True]
        assert found[1].moved_features == ("brightness",)
        assert found[1].reasons[0].startswith("brightness reaches further down")
        assert (found[1].items, found[1].sampled) == (250, 250)

        shown = examples(log, found[1], "brightness", number=20)
        assert len(shown) == 20
        assert set(shown) <= set(dark)
        log.erase(shown[0])
        assert shown[0] not in examples(log, found[1], "brightness", number=20)
        assert set(examples(log, found[1], "score", number=5)) <= {*clean, *dark}

        # A second look finds nothing new, and what is kept is what was found.
        assert _check(log, workspace, 100) == []
        assert read_drift(log) == found
        assert read_drift(log, environment="production", version="v1.0.0", last=1) == found[2:]
        assert read_drift(log, Period(NOON, NOON + 30 * MINUTE)) == found[:1]
        assert read_drift(log, environment="staging") == []


def test_two_processes_at_once_keep_each_window_once(place, workspace, request):
    traffic_class = type(request.getfixturevalue("traffic"))
    with PredictionLog(place) as log, PredictionLog(place) as other:
        traffic_class(log).send(500, minutes=60)
        kept = []

        def run(opened):
            kept.extend(_check(opened, workspace, 100))

        threads = [threading.Thread(target=run, args=(opened,)) for opened in (log, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one.start_us for one in kept) == [NOON, NOON + 30 * MINUTE]
        assert [one.start_us for one in read_drift(log)] == [NOON, NOON + 30 * MINUTE]


def test_windows_come_as_time_goes_on(traffic, log, workspace):
    told = []
    traffic.send(250, minutes=30)
    assert _check(log, workspace, 30) == []  # its last minute is not over for long enough
    [first] = _check(log, workspace, 31, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]
    traffic.send(250, minute=40, minutes=30)
    [second] = _check(log, workspace, 90)
    assert (second.start_us - NOON) // MINUTE == 40
    assert second.start_us > first.end_us
    assert _check(log, workspace, 90) == []


def test_a_window_that_stays_short_is_judged_with_what_it_has_or_not_at_all(
    traffic, log, workspace
):
    policy = POLICY.model_copy(update={"max_days": 1.0})
    traffic.send(210, minutes=60)
    traffic.send(20, minute=1500, minutes=30)
    assert _check(log, workspace, 1439, policy) == []
    [judged] = _check(log, workspace, 1441, policy)
    assert (judged.items, judged.end_us - judged.start_us) == (210, 1440 * MINUTE)
    assert judged.score is not None
    [skipped] = _check(log, workspace, 2941, policy)
    assert (skipped.items, skipped.score) == (20, None)
    assert "20 items with a score in 1 days, and 200 are needed" in skipped.reasons[0]


def test_each_version_has_windows_of_its_own(traffic, log, workspace):
    traffic.send(250, minutes=30, roll_up=False)
    traffic.send(250, minutes=30, version="v1.1.0", roll_up=False)
    traffic.send(250, minutes=30, environment=None)
    found = {one.version: one for one in _check(log, workspace, 60)}
    assert set(found) == {"v1.0.0", "v1.1.0"}
    assert found["v1.0.0"].score is not None
    assert found["v1.1.0"].score is None
    assert found["v1.1.0"].reasons == (
        "not judged, as there is nothing to compare with: v1.1.0 is not registered",
    )


def test_long_ago_is_let_be_and_what_is_due_comes_in_parts(traffic, log, workspace, monkeypatch):
    traffic.send(750, minutes=90)
    days = 15 * 24 * 60
    assert _check(log, workspace, days) == []
    monkeypatch.setattr("deepfake_lightning.monitoring.drift.check.MOST", 2)
    assert [len(_check(log, workspace, 200)) for _ in range(3)] == [2, 1, 0]


def test_beside_a_baseline_what_it_is_like_has_not_drifted(traffic, log, workspace):
    traffic.send(250, minutes=30, shift=3, roll_up=False)
    traffic.send(500, minute=30, minutes=60, shift=3)
    set_baseline(log, workspace, "production", "v1.0.0", Period(NOON, NOON + 30 * MINUTE))
    path = workspace.monitoring / "policy" / "drift.yaml"
    path.parent.mkdir()
    path.write_text("{reference: baseline, items: 250, minutes: 30, sampled: 250}")
    found = _check(log, workspace, 200, policy=None)
    assert [(one.reference, one.moved) for one in found] == [("baseline", False)] * 3


def test_no_log_no_traffic_no_records(log, tmp_path):
    assert _check(log, Workspace(tmp_path / "mlops"), 100) == []
    make_rollups(log)
    assert read_drift(log) == []


def test_examples_of_the_embedding_lie_where_the_window_differs(traffic, log, workspace):
    traffic.send(125, minutes=30, roll_up=False)
    moved = traffic.send(125, minutes=30, shift=5, feature="embedding")
    [record] = _check(log, workspace, 60)
    assert record.moved_features == ("embedding",)
    assert set(examples(log, record, "embedding", number=30)) <= set(moved)
    with pytest.raises(UsageError, match="use score, brightness"):
        examples(log, record, "hue")


def test_what_cannot_be_read_for_the_moment_is_judged_later(traffic, log, workspace, monkeypatch):
    """The other versions are judged, and nothing is kept of the one that waits."""
    traffic.send(250, minutes=30, roll_up=False)
    traffic.send(250, minutes=30, version="v1.1.0")
    read = Path.read_bytes

    def failing(path):
        if path.name == "SHA256SUMS":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(path)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "read_bytes", failing)
        with pytest.raises(StorageError, match="cannot be read: Input/output error"):
            _check(log, workspace, 60)
    assert [one.version for one in read_drift(log)] == ["v1.1.0"]
    [judged] = _check(log, workspace, 60)
    assert judged.version == "v1.0.0" and judged.score is not None
