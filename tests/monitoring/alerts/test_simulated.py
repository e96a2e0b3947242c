"""Histories with a clock of their own: each default rule fires once and ends once, or never."""

from __future__ import annotations

import random
from collections import Counter, deque

import numpy as np
import pytest
from sqlalchemy import insert

from deepfake_lightning.metrics.weighted import weighted_quality
from deepfake_lightning.monitoring.alerts import AlertPolicy
from deepfake_lightning.monitoring.alerts.judging import judge
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation
from deepfake_lightning.monitoring.alerts.traffic import finding_of, share_low
from deepfake_lightning.monitoring.log.tables import gaps
from deepfake_lightning.monitoring.log.tables import labels as labels_table
from deepfake_lightning.monitoring.review import ReviewPolicy

MINUTE = 60_000_000
NOON = 1_700_049_600_000_000
DAY_MINUTES = 24 * 60
STEP = 30  # minutes
SUBJECT = "production/v1.0.0"


@pytest.fixture
def by_default(start):
    """Return a production with the default policy, but for the disk of this machine."""
    production = start()
    rules = [rule for rule in AlertPolicy().to_dict()["rules"] if rule["measure"] != "disk"]
    production.policy(rules=rules, channels=[{"name": "file", "kind": "file"}])
    return production


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        ("errors", {"failing": 0.05}),
        ("image_latency", {"latency_ms": 600}),
        ("refusals", {"refused": 0.2}),
    ],
)
def test_an_hour_of_trouble_is_told_once_and_its_end_once(by_default, told, rule, bad):
    clean = {"requests": 30, "failing": 0.002}
    assert by_default.minutes(30, **clean) == []
    assert by_default.minutes(60, **{**clean, **bad}) == [f"{rule} firing"]
    assert by_default.minutes(60, **clean) == [f"{rule} resolved"]
    assert [one["alert"]["rule"] for one in told(by_default)] == [rule, rule]


@pytest.mark.slow
def test_a_server_that_is_down_for_an_hour_is_told_once(by_default):
    assert by_default.minutes(60, requests=2) == []
    assert by_default.minutes(60, requests=0) == ["no_traffic firing"]
    assert by_default.minutes(60, requests=2) == ["no_traffic resolved"]


@pytest.mark.slow
def test_lost_requests_are_told_once(by_default):
    by_default.minutes(10)
    with by_default.log.writing() as connection:
        connection.execute(insert(gaps).values(
            from_us=by_default.now, to_us=by_default.now, lost=5, reason="full"))  # fmt: skip
    assert by_default.minutes(60) == ["log_stalled firing", "log_stalled resolved"]


@pytest.mark.slow
def test_flapping_for_six_hours_is_told_at_most_once_each_half_hour(by_default):
    happened = Counter()
    for minute in range(6 * 60):
        bad = minute // 12 % 2 == 1  # twelve minutes each
        happened.update(by_default.minute(60, failing=0.05 if bad else 0.0))
    assert 1 <= happened["errors firing"] <= 12
    assert happened["errors firing"] - happened["errors resolved"] in (0, 1)


@pytest.mark.slow
def test_a_restart_in_the_middle_changes_nothing(by_default, start, tmp_path):
    """Rounds keep nothing in memory: another process goes on from what is on disk."""
    by_default.minutes(15, 30)
    by_default.minutes(4, 30, failing=0.1)  # pending
    assert by_default.rounds[-1].alerts[0].state == "pending"
    again = type(by_default)(by_default.workspace.root, by_default.place)
    again.now, again._number = by_default.now, by_default._number
    since = by_default.rounds[-1].alerts[0].since_us
    assert again.minutes(10, 30, failing=0.1) == ["errors firing"]
    assert again.rounds[-1].alerts[0].since_us == since
    assert again.rounds[-1].alerts[0].id == by_default.rounds[-1].alerts[0].id
    again.log.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_clean_days_on_a_real_log_are_silent(by_default):
    """Days and nights, 3 errors in 1,000, slow pictures now and then, labels of a random sample.

    Rounds are half an hour apart, which is what the log costs; those of each minute are below.
    """
    production, chance = by_default, random.Random(4)
    production.measured("v1.0.0", found=0.8, false_alarms=0.03, items=1000)
    review = ReviewPolicy(rate=0.01)
    happened = []
    for step in range(30 * DAY_MINUTES // STEP):
        rate = rate_of(STEP * step)
        rows, said = [], []
        for _ in range(int(np.random.default_rng(step).poisson(STEP * rate))):
            fake = chance.random() < 0.2
            called = chance.random() < (0.8 if fake else 0.03)
            at = production.now + chance.randrange(STEP * MINUTE)
            row = production.request(
                at, failed=chance.random() < 0.003, latency_ms=80 * chance.lognormvariate(0, 0.5),
                verdict="manipulation_indicated" if called else "no_indication",
            )  # fmt: skip
            rows.append(row)
            said.append({"request_id": row.id, "ts_us": at, "label": int(fake), "by": "ann",
                         "source": "review"})  # fmt: skip
        production.write(rows, review=review)
        judge_some(production, said)
        happened += production.check(STEP)
    assert happened == []


def judge_some(production, said):
    """Label what was drawn."""
    from deepfake_lightning.monitoring.review import review_queue

    drawn = {one.request_id for one in review_queue(production.log, state="waiting", limit=500)}
    chosen = [one for one in said if one["request_id"] in drawn]
    if chosen:
        with production.log.writing() as connection:
            connection.execute(insert(labels_table), chosen)


def rate_of(minute):
    """Requests a minute: 3 at noon, 0.3 at midnight."""
    return 1.65 + 1.35 * np.cos(2 * np.pi * minute / DAY_MINUTES)


@pytest.mark.slow
@pytest.mark.parametrize("busy", [1, 30])
def test_thirty_clean_days_of_each_minute_are_silent(busy):
    """The same arithmetic on numbers alone: 43,200 rounds of errors, latency and quality."""
    rules = {rule.name: rule for rule in AlertPolicy().rules}
    generator = np.random.default_rng(5)
    errors, slow, total = deque(maxlen=10), deque(maxlen=5), deque(maxlen=10)
    refused = deque(maxlen=10)
    labels = deque(maxlen=7 * 30)
    alerts, events = (), []
    for minute in range(30 * DAY_MINUTES):
        number = int(generator.poisson(busy * rate_of(minute)))
        total.append(number)
        errors.append(int(generator.binomial(number, 0.003)))
        slow.append(int(generator.binomial(number, 0.03)))
        refused.append(int(generator.binomial(number, 0.02)))
        found = []
        n = sum(total)
        for name, hits in (("errors", sum(errors)), ("refusals", sum(refused))):
            if n >= rules[name].minimum:
                certain = share_low(hits, n) > rules[name].limit
                found.append(measured(name, finding_of(rules[name], hits / n, certain=certain)))
        n, late = sum(list(total)[-5:]), sum(slow)
        if n >= rules["image_latency"].minimum:
            finding = "well" if late / n <= 0.05 else "unclear"
            finding = "broken" if share_low(late, n) > 0.05 else finding
            found.append(measured("image_latency", finding))
        if minute % 48 == 0:  # 30 labels a day
            fake = generator.random() < 0.2
            labels.append((fake, generator.random() < (0.8 if fake else 0.03)))
            quality = quality_finding(rules["quality"], labels)
        if quality:
            found.append(measured("quality", quality))
        situation = Situation("production", tuple(found), frozenset({"v1.0.0"}))
        alerts, new = judge(tuple(rules.values()), situation, alerts, (), NOON + minute * MINUTE)
        events += new
    assert [f"{one.alert.rule} {one.kind}" for one in events] == []


def measured(rule, finding):
    return Measurement(rule, SUBJECT, finding, environment="production")


def quality_finding(rule, labels):
    """What the labels of a week say, of a version whose balanced accuracy was 0.885."""
    if len(labels) < rule.minimum:
        return None
    fake, called = (np.array(one) for one in zip(*labels, strict=True))
    now = weighted_quality(called, fake, np.ones(len(labels)))["balanced_accuracy"]
    return finding_of(rule, 0.885 - now.value, certain=0.885 - now.high > rule.limit)
