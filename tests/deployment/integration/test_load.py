"""What the load says of a version: pure, from answers and turns to checks."""

from __future__ import annotations

import pytest

from deepfake_lightning.deployment.integration.load import Loaded, judge_load, loads_of
from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.traffic import Answer
from deepfake_lightning.deployment.integration.turns import Turn
from deepfake_lightning.errors import UsageError

OLD, NEW = "v1.0.0", "v1.1.0"
PLAN = IntegrationPlan(concurrency=1, requests=100, p95_ms=100, slower=1.5, memory_mb=500)


def turns(**changes):
    """Return four turns of 10 s, each of which takes over after half a second."""
    found = [
        Turn(name, 10.0 * number, 10.0 * number + 0.5, 10.0 * number + 9.9, None, 300.0 + number)
        for number, name in enumerate((OLD, NEW, OLD, NEW))
    ]
    return [Turn(**{**vars(turn), **changes.get(f"turn{number}", {})})
            for number, turn in enumerate(found)]  # fmt: skip


def answers(seconds=None):
    """Return an answer each tenth of a second, of whoever serves then."""
    seconds = seconds or {}
    found = []
    for number in range(400):
        sent = number / 10
        serves = (OLD, NEW, OLD, NEW)[int(max(0.0, sent - 0.4) // 10)]
        took = seconds.get(serves, 0.05)
        found.append(Answer(sent, sent + took, 200, serves))
    return found


def judged(answered=None, turned=None, *, plan=PLAN, champion=OLD, peak=400.0):
    loaded = Loaded(answers() if answered is None else answered, turned or turns(), peak)
    return {check.name: check for check in judge_load(loaded, NEW, champion, plan)}


def test_a_good_version_passes_all_of_it_with_figures():
    found = judged()
    assert {name for name, check in found.items() if not check.passed} == set()
    assert list(found) == ["takeover", "answers", "back", "strays", "latency", "slower", "memory",
                           "growth"]  # fmt: skip
    assert found["takeover"].value == found["back"].value == 0.5
    assert found["latency"].value == pytest.approx(50, abs=0.2)
    assert found["slower"].value == pytest.approx(1.0, abs=0.01)
    assert (found["memory"].value, found["growth"].value) == (400, 2)  # 303 - 301
    assert found["answers"].says.startswith("0 of 400 requests under load failed, while versions")


def test_a_request_that_fails_is_told_with_its_reason():
    given = answers()
    given[150] = Answer(15.0, 15.1, 500, None, "the server failed on this request")
    found = judged(given)["answers"]
    assert not found.passed and found.value == 1
    assert found.says == ("1 of 400 requests under load failed, while versions changed 3 times; "
                          "1 of them: the server failed on this request")  # fmt: skip


def test_a_version_that_is_refused_says_why_and_is_judged_no_further():
    found = judged(turned=[*turns()[:1], Turn(NEW, 10.0, refused="model.onnx has been changed")])
    assert list(found) == ["takeover", "answers"]
    assert not found["takeover"].passed
    assert found["takeover"].says == "the server refuses v1.1.0: model.onnx has been changed"


def test_a_version_that_answers_nothing_says_what_it_answers_instead():
    given = [*answers()[:100], Answer(11.0, 11.1, 500, None, "the server failed on this request")]
    found = judged(given, [*turns()[:1], Turn(NEW, 10.0)])["takeover"]
    assert not found.passed
    assert found.says.endswith("within 30 s: the server failed on this request")


def test_an_answer_of_the_old_version_after_the_new_one_took_over():
    given = answers()
    given[170] = Answer(17.0, 17.1, 200, OLD)
    found = judged(given)["strays"]
    assert (found.passed, found.value) == (False, 1)
    # One that was sent before, and came late, is none.
    given = [*answers(), Answer(9.9, 11.0, 200, OLD)]
    assert judged(given)["strays"].passed


def test_going_back_that_takes_too_long_or_never_comes():
    slow = judged(turned=turns(turn2={"took_over": 22.5}))["back"]
    assert (slow.passed, slow.value) == (False, 2.5)
    never = judged(turned=[*turns()[:2], Turn(OLD, 20.0, refused="it is gone")])["back"]
    assert not never.passed
    assert never.says == "v1.0.0 did not serve again after v1.1.0: it is gone"


def test_latency_over_its_budget_and_slower_than_the_champion():
    found = judged(answers({NEW: 0.2}))
    assert not found["latency"].passed
    assert found["latency"].value == pytest.approx(200, abs=0.5)
    assert not found["slower"].passed
    assert found["slower"].says == ("v1.1.0 takes 4.00 times as long as v1.0.0, in the middle "
                                    "(200 and 50 ms)")  # fmt: skip


def test_the_first_answers_of_a_turn_and_the_first_turn_do_not_count():
    given = [Answer(one.sent, one.came + 5 * (one.sent < 10 or 10.5 < one.sent < 10.7), 200,
                    one.version) for one in answers()]  # fmt: skip
    loads = loads_of(Loaded(given, turns(), None), [NEW, OLD], 1)
    assert [one.p99_ms for one in loads] == pytest.approx([50, 50], abs=0.5)


@pytest.mark.parametrize(
    ("name", "plan"),
    [("memory", {"memory_mb": 0.0}), ("growth", {"growth_mb": 1.0}), ("latency", {"p95_ms": 0.0})],
)
def test_a_budget_that_is_not_kept(name, plan):
    plan = IntegrationPlan(**{**vars(PLAN), **plan})
    found = judged(plan=plan)
    assert [check.name for check in found.values() if not check.passed] == [name]


def test_a_limit_that_is_left_out_is_not_judged():
    plan = IntegrationPlan(
        requests=100, concurrency=1, p95_ms=None, slower=None, memory_mb=None, growth_mb=None
    )
    found = judged(answers({NEW: 9.0}), plan=plan, peak=9e9)
    assert "slower" not in found
    assert found["latency"].passed and found["memory"].passed


def test_where_the_memory_cannot_be_known_it_is_no_check():
    assert not {"memory", "growth"} & judged(peak=None).keys()


def test_without_a_champion_nothing_is_compared():
    turned = [Turn(NEW, 0.0, 0.1, 20.0, None, 300.0), Turn(NEW, 20.0, 20.1, 39.0, None, 310.0)]
    given = [Answer(one.sent, one.came, 200, NEW) for one in answers()]
    found = judged(given, turned, champion=None)
    assert list(found) == ["answers", "latency", "memory", "growth"]
    assert found["growth"].value == 10
    assert found["answers"].says == "0 of 400 requests under load failed"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"requests": 0}, "requests of the integration tests is 0"),
        ({"concurrency": 50}, "160 requests are too few for 50 at a time"),
        ({"p95_ms": -1.0}, "p95_ms of the integration tests is -1.0"),
        ({"seconds": float("nan")}, "seconds of the integration tests is nan"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(wrong, says):
    with pytest.raises(UsageError, match=says):
        IntegrationPlan(**wrong)
