import numpy as np
import pytest
from sqlalchemy import insert

from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.tables import gaps
from deepfake_lightning.monitoring.windows import Period, Scope, read_series, read_window

START = 1_700_049_600_000_000
HOUR_US, MINUTE_US = 3_600_000_000, 60_000_000
HOUR = Period(START, START + HOUR_US)
PRODUCTION = Scope("production")


def test_figures_are_those_that_counting_the_rows_gives(watched, traffic):
    window = read_window(watched, HOUR, PRODUCTION)
    rows = [row for row in traffic if row.environment == "production"]
    items = [item for row in rows for item in row.items if item.variant == "serving"]
    total = window.total
    assert (total.requests, total.items, total.seconds) == (240, len(items), 3600)
    assert total.per_second == 240 / 3600
    for name, status in (("error_rate", 500), ("refusal_rate", 503), ("bad_request_rate", 422)):
        assert getattr(total, name) == sum(row.http_status == status for row in rows) / 240
    latency = np.array([row.latency_us for row in rows]) / 1000
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        exact = np.quantile(latency, share, method="inverted_cdf")
        assert getattr(total, name) == pytest.approx(exact, rel=0.05)
    said = [item.verdict for item in items]
    assert total.verdicts["inconclusive"] == said.count("inconclusive") / len(said)
    assert sum(total.verdicts.values()) == pytest.approx(1)
    assert sum(total.scores) == len(items)
    assert total.stages_ms["network"] == 9
    brightness = [item.brightness for item in items]
    assert total.quality["brightness"] == pytest.approx((np.mean(brightness), np.std(brightness)))
    assert window.last_us == rows[-1].ts_us
    assert (window.gaps, window.lost, window.stale_minutes) == ((), 0, 0)


def test_media_and_versions_are_told_apart(watched, traffic):
    window = read_window(watched, HOUR, PRODUCTION)
    assert {name: one.requests for name, one in window.by_media.items()} == {
        "image": 180, "unknown": 12, "video": 48,
    }  # fmt: skip
    # A shadow version is asked nothing, has items, and stands beside those that answer.
    assert {key: (one.requests, one.items) for key, one in window.by_version.items()} == {
        ("v1.0.0", "serving"): (160, 152),
        ("v1.1.0", "serving"): (80, 76),
        ("v2.0.0", "shadow"): (0, 120),
    }
    shadow = read_window(watched, HOUR, Scope("production", "v2.0.0", "shadow"))
    assert (shadow.total.requests, shadow.total.items, shadow.total.p95_ms) == (0, 120, None)
    assert shadow.total.error_rate is None
    videos = read_window(watched, HOUR, Scope("production", media_type="video"))
    assert videos.total.requests == 48
    assert (
        read_window(watched, HOUR, Scope("production", media_type="unknown")).total.requests == 12
    )


def test_a_commands_rows_are_no_traffic(watched, traffic):
    assert read_window(watched, HOUR, Scope()).total.requests == 241
    assert read_window(watched, HOUR, Scope("staging")).total.requests == 1


def test_without_traffic_rates_are_undefined_and_the_last_request_is_still_known(watched, traffic):
    later = Period(START + 48 * HOUR_US, START + 49 * HOUR_US)
    window = read_window(watched, later, PRODUCTION)
    assert window.total.requests == 0
    assert window.total.per_second == 0
    assert window.total.error_rate is window.total.p95_ms is window.total.no_face_rate is None
    assert window.total.verdicts == {}
    assert window.last_us == traffic[239].ts_us
    assert read_window(watched, later, Scope("nowhere")).last_us is None


def test_the_last_request_of_a_quiet_version_is_known_to_the_minute(watched, traffic, monkeypatch):
    monkeypatch.setattr("deepfake_lightning.monitoring.windows.recent.LOOKED_AT", 2)
    last = [row.ts_us for row in traffic if row.version == "v1.1.0"][-1]
    found = read_window(watched, HOUR, Scope("production", "v1.1.0")).last_us
    assert found == last - last % MINUTE_US


def test_gaps_of_the_period_and_minutes_not_yet_added_up_are_told(tmp_path, request_row):
    with PredictionLog(tmp_path / "predictions.db") as log:
        ends = [
            (START - 9, START - 5),
            (START - 9, START + 5),
            (START + HOUR_US, START + HOUR_US + 1),
        ]
        with log.writing() as connection:
            rows = [{"from_us": a, "to_us": b, "lost": 7, "reason": "disk full"} for a, b in ends]
            connection.execute(insert(gaps), rows)
        log.append(request_row(77, 30))
        log.append(request_row(78, 7200))
        window = read_window(log, HOUR, PRODUCTION)
        assert [(gap.to_us - START, gap.reason) for gap in window.gaps] == [(5, "disk full")]
        assert (window.lost, window.stale_minutes) == (7, 1)


def test_a_series_adds_up_to_its_window(watched, traffic):
    series = read_series(watched, HOUR, PRODUCTION)
    assert (series.step_s, len(series.starts_us)) == (60, 60)
    assert set(series.figures) == {"v1.0.0", "v1.1.0"}
    of_one = series.figures["v1.1.0"]
    assert sum(one.requests for one in of_one if one) == 80
    assert None not in of_one
    every = read_series(watched, HOUR, Scope("production", variant=None), step_s=1800)
    assert set(every.figures) == {"v1.0.0", "v1.1.0", "v2.0.0 shadow"}
    assert len(every.starts_us) == 2


def test_steps_that_reach_beyond_the_period_have_the_rate_of_their_part(watched, traffic):
    part = Period(START + 10 * MINUTE_US, START + 25 * MINUTE_US)
    series = read_series(watched, part, Scope("production", "v1.0.0"), step_s=600)
    found = series.figures["v1.0.0"]
    assert [one.seconds for one in found if one] == [600, 300]
    assert [round(one.per_second, 3) for one in found if one] == [0.045, 0.043]


def test_a_step_without_requests_is_none(watched, traffic):
    two_hours = Period(START, START + 2 * HOUR_US)
    found = read_series(watched, two_hours, PRODUCTION, step_s=3600).figures["v1.0.0"]
    assert found[0].requests == 160
    assert found[1] is None
