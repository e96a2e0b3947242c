"""Rounds of checks on a real log, with the default rules."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import insert

from deepfake_lightning.monitoring.alerts import check_alerts, read_alerts
from deepfake_lightning.monitoring.alerts.state import read_state
from deepfake_lightning.monitoring.log import address
from deepfake_lightning.monitoring.log.tables import gaps

MINUTE = 60_000_000


def test_errors_fire_once_are_told_once_and_end_once(production, told):
    assert production.minute(120) == []
    assert production.minutes(2, 120, failing=0.2) == ["errors firing"]
    alert = production.rounds[-1].alerts[0]
    assert (alert.subject, alert.severity) == ("production/v1.0.0", "critical")
    assert "of the last 2" in alert.says and "requests failed" in alert.says
    assert alert.n > 100 and alert.value > 0.05 and alert.limit == 0.01
    assert production.minutes(4, 120) == ["errors resolved"]
    messages = told(production)
    assert [one["kind"] for one in messages] == ["firing", "resolved"]
    assert messages[0]["text"].startswith("critical: errors of production/v1.0.0")
    assert production.firing() == []


def test_a_few_errors_among_few_requests_may_be_chance(production):
    production.write([production.request(production.now, failed=True) for _ in range(2)])
    assert production.minute(140) == []
    assert production.rounds[-1].alerts[0].state == "pending"
    assert "may be chance" in production.rounds[-1].alerts[0].says
    assert production.minutes(2, 140) == [] and production.rounds[-1].alerts == ()


def test_refusals_fire_for_the_environment_though_no_version_made_them(production):
    assert production.minutes(2, 120, refused=0.02) == []
    assert production.minutes(2, 120, refused=0.3) == ["refusals firing"]
    alert = production.rounds[-1].alerts[0]
    assert (alert.subject, alert.severity, alert.limit) == ("production", "warning", 0.05)
    assert "requests were refused" in alert.says and "--processes" in alert.next_step
    assert production.minutes(4, 120) == ["refusals resolved"]


def test_slow_pictures_fire_and_slow_clips_do_not(production):
    assert production.minutes(2, 60, media_type="video", latency_ms=4000) == []
    assert production.minutes(2, 60, latency_ms=900) == ["image_latency firing"]
    assert "p95 of the latency is" in production.rounds[-1].alerts[0].says


def test_a_version_that_leaves_takes_its_alerts_along(production):
    production.minutes(2, 120, failing=0.3)
    assert production.firing() == ["errors production/v1.0.0"]
    production.serve("v1.1.0")
    assert production.minute(120, version="v1.1.0") == ["errors resolved"]
    assert production.events[-1].alert.says == "v1.0.0 no longer serves in production"
    assert production.minute(120, version="v1.1.0") == []


def test_silence_after_traffic_fires_until_there_is_traffic_again(production):
    production.minute(100)
    assert [production.check(7) for _ in range(4)] == [[], [], ["no_traffic firing"], []]
    assert production.rounds[-1].alerts[0].subject == "production"
    assert "no request for 28 minutes" in production.rounds[-1].alerts[0].says
    assert production.minute(5) == ["no_traffic resolved"]


def test_a_quiet_night_is_no_news(production):
    for _ in range(3):
        production.minute(requests=1)
        assert production.check(30) == []
    assert production.rounds[-1].alerts == ()


def test_without_a_log_nothing_is_found_and_nothing_is_made(tmp_path, production):
    production.serve()
    place = tmp_path / "elsewhere" / "predictions.db"
    done = check_alerts(
        production.workspace, place, environment="production", now_us=production.now
    )
    assert done.alerts == () and not place.parent.exists()


def test_where_versions_serve_a_log_that_is_gone_fires(production):
    assert production.minute(20) == []
    production.log.close()
    production.place.unlink()
    production.seen = production.place
    assert [production.check() for _ in range(2)] == [[], ["log_stalled firing"]]
    says = production.rounds[-1].alerts[0].says
    assert "v1.0.0 serves in production, and there is no" in says
    assert not production.place.exists()


def test_a_stray_request_does_not_end_an_outage(production):
    production.minute(100)
    assert production.check(16) == ["no_traffic firing"]
    for _ in range(3):
        assert production.minute(1) == []
        assert production.check(20) == []
        assert "in the 60 minutes before there were 100" in production.rounds[-1].alerts[0].says
    assert production.firing() == ["no_traffic production"]
    assert production.minute(20) == ["no_traffic resolved"]


def test_failures_that_no_version_answered_fire_for_the_environment(production):
    production.minutes(2, 120)
    assert production.minutes(2, 120, version="none", failing=0.9) == ["errors firing"]
    assert production.firing() == ["errors production"]


@pytest.fixture
def locked(monkeypatch, production):
    """Return a production whose log others can lock, and the way to lock it."""
    monkeypatch.setattr(address, "BUSY_MS", 20)
    production.log.close()
    production.seen = production.place
    other = sqlite3.connect(production.place, isolation_level=None)
    yield production, other
    other.close()


def test_a_locked_log_fires_while_requests_are_answered_and_ends_once_it_is_free(locked):
    production, other = locked
    assert production.minute(100) == []
    other.execute("BEGIN IMMEDIATE")
    happened = [production.check(minutes) for minutes in (1, 1, 20)]
    assert happened == [
        [],
        ["log_stalled firing"],
        [],
    ]  # and not `no_traffic`, which nobody can know
    assert "locked" in production.rounds[-1].alerts[0].says
    other.execute("ROLLBACK")
    assert production.minutes(2) == ["log_stalled resolved"]


def test_lost_requests_fire(production):
    row = {"from_us": production.now, "to_us": production.now + MINUTE, "lost": 1234,
           "reason": "database is locked"}  # fmt: skip
    with production.log.writing() as connection:
        connection.execute(insert(gaps).values(row))
    assert production.minutes(2) == ["log_stalled firing"]
    assert "1,234 requests and scores were answered" in production.rounds[-1].alerts[0].says
    happened = [production.check(minutes) for minutes in (12, 4, 1)]
    assert happened[:2] == [[]] * 2 and "log_stalled resolved" in happened[2]


def test_a_log_that_cannot_be_opened_fires(production):
    production.log.close()
    production.seen = production.place.with_name("broken.db")
    production.seen.write_text("this is no database, and was none\n" * 100)
    happened = [one for _ in range(3) for one in production.check()]
    assert happened == ["log_stalled firing"]
    assert "could not be opened" in production.rounds[-1].alerts[0].says


def test_a_full_disk_fires(production):
    space = {"name": "disk", "measure": "disk", "limit": 1e-9}
    production.policy(rules=[space], channels=[])
    assert production.check() == ["disk firing"]
    (alert,) = production.rounds[-1].alerts
    assert alert.subject == "disk/workspace" and "% full" in alert.says
    production.policy(rules=[{**space, "limit": 1.0}], channels=[])
    assert production.check() == ["disk resolved"]


def test_what_a_round_leaves_is_what_others_read(production):
    production.minutes(2, 120, failing=0.3)
    assert read_alerts(production.workspace) == production.rounds[-1].alerts
    assert read_state(production.workspace).rounds == {"production": production.now}


def test_two_rounds_at_the_same_time_are_one(production, told):
    production.minutes(2, 120, failing=0.3)
    before = read_alerts(production.workspace)
    again = check_alerts(
        production.workspace, production.log, environment="production", now_us=production.now
    )
    assert (again.alerts, again.events, again.delivered) == (before, (), ())
    assert len(told(production)) == 1
