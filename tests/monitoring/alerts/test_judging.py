"""The state machine of alerts: pure, with times passed in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.monitoring.alerts.judging import judge
from deepfake_lightning.monitoring.alerts.policy import AlertRule
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent, Silence, alert_of
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation

MINUTE = 60_000_000
NOON = 1_700_049_600_000_000
VERSION = "production/v1.0.0"


class Watch:
    """Rounds of one rule, minute by minute, as an operator would see them."""

    def __init__(self, **rule: Any) -> None:
        self.rules = (AlertRule(**{"name": "errors", "measure": "error_rate", "limit": 0.01,
                                   "cooldown_minutes": 0, **rule}),)  # fmt: skip
        self.alerts: tuple[Alert, ...] = ()
        self.silences: tuple[Silence, ...] = ()
        self.serving: frozenset[str] | None = frozenset({"v1.0.0"})
        self.events: list[AlertEvent] = []
        self.whole = True
        self.now = NOON

    def minute(self, finding: str | None, *, minutes: float = 1, value: float = 0.5) -> list[str]:
        """Judge once, a minute later; return the kinds of what happened."""
        self.now += round(minutes * MINUTE)
        found = () if finding is None else (
            Measurement("errors", VERSION, finding, value, 0.01, 100, f"it is {value}",  # type: ignore[arg-type]
                        environment="production"),
        )  # fmt: skip
        situation = Situation("production", found, self.serving, self.whole)
        self.alerts, events = judge(self.rules, situation, self.alerts, self.silences, self.now)
        self.events += events
        return [one.kind + (" silently" if one.silenced else "") for one in events]

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.alerts]

    def acknowledge(self) -> None:
        self.alerts = tuple(
            replace(one, acknowledged_by="ann", acknowledged_us=self.now) for one in self.alerts
        )


def test_a_limit_that_stays_broken_fires_once_and_ends_once():
    watch = Watch(for_minutes=3, clear_minutes=2)
    happened = [watch.minute(one) for one in ["well"] * 2 + ["broken"] * 10 + ["well"] * 6]
    assert [place for place, kinds in enumerate(happened) if kinds] == [5, 14]
    assert [one.kind for one in watch.events] == ["firing", "resolved"]
    fired, ended = watch.events
    assert fired.alert.id == ended.alert.id and fired.id != ended.id
    assert ended.alert.resolved_us - fired.alert.fired_us == 9 * MINUTE
    assert watch.states == ["resolved"]


def test_a_short_spell_is_pending_and_nobody_is_told():
    watch = Watch(for_minutes=3)
    for _ in range(3):
        assert watch.minute("broken") == []
    assert watch.states == ["pending"]
    assert watch.minute("well") == [] and watch.states == []


def test_what_may_be_chance_never_fires():
    watch = Watch(for_minutes=3)
    for _ in range(50):
        assert watch.minute("unclear") == []
    assert watch.states == ["pending"]
    assert [watch.minute("broken") for _ in range(4)] == [[], [], [], ["firing"]]


def test_no_data_ends_nothing_and_says_so():
    watch = Watch()
    assert watch.minute("broken") == ["firing"]
    for finding in ("unknown", None) * 1000:
        assert watch.minute(finding) == []
    assert watch.states == ["firing"]
    assert watch.alerts[0].says.count("no data since 2023-11-15 12:02 UTC") == 1
    assert watch.minute("well") == ["resolved"]
    assert "no data" not in watch.alerts[0].says


def test_a_pending_one_without_data_goes_after_the_rule_s_window():
    watch = Watch(for_minutes=100, window_minutes=10)
    watch.minute("broken")
    for _ in range(10):
        watch.minute("unknown")
    assert watch.states == ["pending"]
    assert watch.minute("unknown") == [] and watch.states == []


def test_between_clear_and_limit_nothing_changes():
    watch = Watch(clear=0.005)
    for _ in range(5):
        assert watch.minute("near") == [] and watch.states == []
    watch.minute("broken")
    for _ in range(50):
        assert watch.minute("near") == []
    assert watch.minute("well") == ["resolved"]


def test_one_that_comes_again_at_once_waits_for_its_cool_down():
    watch = Watch(cooldown_minutes=30)
    kinds = [kind for _ in range(60) for one in ("broken", "well") for kind in watch.minute(one)]
    # Two hours of flapping: told once each half hour.
    assert kinds == ["firing", "resolved"] * 4
    watch = Watch(cooldown_minutes=30)
    assert watch.minute("broken") + watch.minute("well") == ["firing", "resolved"]
    happened = [watch.minute("broken") for _ in range(31)]
    assert [place for place, kinds in enumerate(happened) if kinds] == [29]


def test_an_end_in_the_future_does_not_hold_an_alert_back():
    watch = Watch(cooldown_minutes=30)
    assert watch.minute("broken") + watch.minute("well") == ["firing", "resolved"]
    assert watch.minute("broken", minutes=-600) == ["firing"]  # the clock was put right


def test_reminders_come_until_somebody_has_it():
    watch = Watch(remind_minutes=10)
    kinds = [watch.minute("broken") for _ in range(25)]
    assert [place for place, one in enumerate(kinds) if one] == [0, 10, 20]
    watch.acknowledge()
    assert not any(watch.minute("broken") for _ in range(50))
    assert watch.minute("well") == ["resolved"]
    assert len({one.id for one in watch.events}) == len(watch.events)


def test_silence_holds_messages_back_and_what_still_fires_is_told_after_it():
    watch = Watch()
    watch.silences = (Silence("production", NOON, NOON + 5 * MINUTE, "ann", "maintenance"),)
    assert watch.minute("broken") == ["firing silently"]
    assert watch.alerts[0].silenced_until_us == NOON + 5 * MINUTE  # it is shown
    assert [watch.minute("broken") for _ in range(4)] == [[], [], [], ["reminder"]]
    assert watch.minute("well") == ["resolved"]


def test_silence_does_not_hide_the_end_of_what_was_told_and_hides_all_of_what_was_not():
    watch = Watch()
    assert watch.minute("broken") == ["firing"]
    watch.silences = (Silence("errors", NOON, NOON + 60 * MINUTE, "ann", "maintenance"),)
    assert watch.minute("well") == ["resolved"]
    assert watch.minute("broken") == ["firing silently"]
    assert watch.minute("well") == ["resolved silently"]
    other = Silence("production/v1.1.0", NOON, NOON + 60 * MINUTE, "ann", "another version's")
    watch.silences = (other,)
    assert watch.minute("broken") == ["firing"]


def test_a_version_that_left_ends_its_alerts_and_says_so():
    watch = Watch(clear_minutes=60)
    watch.minute("broken")
    watch.serving = None  # the file cannot be read: nothing is known
    assert watch.minute(None) == []
    watch.serving = frozenset({"v1.1.0"})
    assert watch.minute("unknown") == ["resolved"]
    assert watch.alerts[0].says == "v1.0.0 no longer serves in production"
    assert watch.minute(None) == []


def test_a_rule_that_is_taken_away_ends_its_alerts():
    watch = Watch()
    watch.minute("broken")
    watch.rules = ()
    assert watch.minute("broken") == ["resolved"]
    assert "no longer has the rule errors" in watch.alerts[0].says


def test_another_environment_s_round_leaves_alerts_alone():
    watch = Watch(environments=("production",))
    watch.minute("broken")
    shared = replace(watch.alerts[0], rule="disk", subject="disk/log", environment=None)
    disk = AlertRule(name="disk", measure="disk", limit=0.9, environments=("production",))
    before = (*watch.alerts, shared)
    found = Situation("staging", (), frozenset())
    after, events = judge((*watch.rules, disk), found, before, (), watch.now + MINUTE)
    assert events == () and set(after) == set(before)


def test_the_worst_come_first():
    one = Alert("a" * 8, "errors", VERSION, "firing", "warning", NOON, NOON, environment="x")
    critical = replace(one, id="b" * 8, severity="critical", rule="quality")
    pending = replace(one, id="c" * 8, state="pending", rule="disk")
    ended = replace(one, id="d" * 8, state="resolved", resolved_us=NOON, rule="drift")
    after, _ = judge((), Situation("y", ()), (ended, pending, one, critical), (), NOON + MINUTE)
    assert [alert.id[0] for alert in after] == ["b", "a", "c", "d"]
    week = NOON + 7 * 24 * 60 * MINUTE
    assert len(judge((), Situation("y", ()), after, (), week)[0]) == 3  # what is over goes


FINDINGS = st.sampled_from(["well", "near", "unclear", "broken", "broken", "unknown", None])
STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["v1.0.0", "v1.1.0", ""]), FINDINGS, max_size=3),
        st.sampled_from([0.5, 1, 1, 1, 7, 45]),  # minutes
        st.sampled_from(["", "", "", "", "acknowledge", "silence", "deploy"]),
    ),
    max_size=40,
)


@settings(max_examples=50, deadline=None)
@given(
    STEPS,
    st.sampled_from([0, 2, 5]),
    st.sampled_from([0, 3]),
    st.sampled_from([0, 10]),
    st.sampled_from([None, 4]),
)
def test_whatever_happens(steps, for_minutes, clear_minutes, cooldown, remind):
    rule = AlertRule(name="errors", measure="error_rate", limit=0.01, for_minutes=for_minutes,
                     clear_minutes=clear_minutes, cooldown_minutes=cooldown,
                     remind_minutes=remind)  # fmt: skip
    alerts: tuple[Alert, ...] = ()
    silences: tuple[Silence, ...] = ()
    events: list[AlertEvent] = []
    serving, now = frozenset({"v1.0.0", "v1.1.0"}), NOON
    for findings, minutes, act in steps:
        now += round(minutes * MINUTE)
        if act == "deploy":
            serving = frozenset({"v1.1.0"}) if "v1.0.0" in serving else frozenset({"v1.0.0"})
        if act == "silence":
            silences = (Silence("production", now, now + 10 * MINUTE, "ann", "why"),)
        if act == "acknowledge":
            alerts = tuple(replace(one, acknowledged_us=now) for one in alerts)
        found = tuple(
            Measurement("errors", f"production/{name}".rstrip("/"), finding, 0.5,
                        environment="production")
            for name, finding in findings.items()
            if finding is not None and (not name or name in serving)
        )  # fmt: skip
        before = alerts
        situation = Situation("production", found, serving)
        alerts, new = judge((rule,), situation, before, silences, now)
        # A restart in between changes nothing.
        again = tuple(alert_of(json.loads(json.dumps(one.to_dict()))) for one in before)
        assert judge((rule,), situation, again, silences, now) == (alerts, new)
        events += new
        keys = [one.key for one in alerts if one.open]
        assert len(keys) == len(set(keys))
        for event in new:
            seen = {one.key: one.finding for one in found}.get(event.alert.key)
            gone = event.alert.subject.partition("/")[2] not in {*serving, ""}
            if event.kind == "resolved":
                assert seen == "well" or gone
            if event.kind == "firing":
                assert seen == "broken" and now - event.alert.since_us >= for_minutes * MINUTE
            if event.kind == "reminder":
                assert event.alert.acknowledged_us is None and not event.silenced
    assert len({one.id for one in events}) == len(events)
    for key in {one.alert.key for one in events}:
        mine = [one for one in events if one.alert.key == key and one.kind != "reminder"]
        assert [one.kind for one in mine] == (["firing", "resolved"] * len(mine))[: len(mine)]
        for fired, ended in zip(mine[::2], mine[1::2], strict=False):
            assert fired.alert.id == ended.alert.id
            told = not fired.silenced or any(
                one.kind == "reminder" and one.alert.id == fired.alert.id for one in events
            )
            assert ended.silenced != told
        for ended, fired in zip(mine[1::2], mine[2::2], strict=False):
            assert fired.at_us - ended.at_us >= cooldown * MINUTE


@pytest.mark.parametrize("finding", ["well", "near", "unknown", None])
def test_where_nothing_is_wrong_nothing_is_kept(finding):
    watch = Watch()
    assert [watch.minute(finding) for _ in range(5)] == [[]] * 5
    assert watch.alerts == ()


def test_what_no_round_looks_at_any_more_ends_after_a_day():
    watch = Watch(window_minutes=10)
    assert watch.minute("broken") == ["firing"]
    assert watch.minute(None) == []
    assert watch.minute(None, minutes=23 * 60) == []
    assert watch.minute("unknown") == []  # it is looked at, and there is too little
    assert watch.minute(None, minutes=60) == []
    assert watch.minute(None, minutes=23 * 60) == []
    watch.whole = False  # the log was away: nobody can know
    assert watch.minute(None, minutes=60) == []
    watch.whole = True
    assert watch.minute(None) == []
    assert watch.minute(None, minutes=24 * 60) == ["resolved"]
    assert watch.alerts[0].says.startswith("no longer measured since 2023-11-1")


def test_a_cooldown_of_weeks_is_kept():
    watch = Watch(cooldown_minutes=14 * 24 * 60)
    assert [watch.minute(one) for one in ("broken", "well")] == [["firing"], ["resolved"]]
    assert watch.minute("broken", minutes=10 * 24 * 60) == []
    assert watch.states == ["pending", "resolved"]
    assert watch.minute("broken", minutes=4 * 24 * 60) == ["firing"]
