"""What waits for reviewers, and one opinion into the log."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.monitoring.log.rollup_windows import merged, read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.review import (
    ReviewPolicy,
    find_item,
    give_opinion,
    queue_counts,
    review_queue,
)
from deepfake_lightning.monitoring.review.workload import workload

NOON, MINUTE = 1_700_049_600_000_000, 60_000_000
ONCE = ReviewPolicy(second_opinion=0)


def say(log, name, label, by, **more):
    now_us = more.pop("now_us", NOON + 3600_000_000)
    return give_opinion(log, name, label=label, by=by, now_us=now_us, policy=ONCE, **more)


def ids(items):
    return [item.request_id for item in items]


def test_the_newest_come_first_and_leave_the_queue_when_they_are_judged(log, fill):
    names = fill(log, 5)
    assert ids(review_queue(log, state="waiting", limit=3, policy=ONCE)) == names[:1:-1]
    item = say(log, names[4], 1, "ada", note=" lips ")
    assert (item.state, item.opinions[0].note, item.opinions[0].source) == (
        "done",
        "lips",
        "review",
    )
    assert ids(review_queue(log, state="waiting", policy=ONCE)) == names[3::-1]
    assert ids(review_queue(log, state="done", policy=ONCE)) == [names[4]]
    assert (item.version, item.media_type, item.environment) == ("v1.0.0", "image", "production")
    row = log.find(names[4])
    assert (item.score, item.verdict) == (row.items[0].score, row.verdict)


def test_who_disagrees_is_told_and_a_third_decides(quick, fill):
    name = fill(quick, 1)[0]
    assert say(quick, name, 1, "ada").state == "done"
    assert say(quick, name, 0, "grace", now_us=NOON + 2).state == "disagreement"
    assert ids(review_queue(quick, state="disagreement", policy=ONCE)) == [name]
    assert not review_queue(quick, state="disagreement", reviewer=" Grace", policy=ONCE)
    assert review_queue(quick, state="disagreement", reviewer="linus", policy=ONCE)
    assert say(quick, name, 0, "linus").state == "done"


def test_a_reviewer_who_says_it_again_replaces_what_they_said(quick, fill):
    name = fill(quick, 1)[0]
    say(quick, name, 1, "ada", now_us=NOON + 1)
    item = say(quick, name, 0, "Ada ", now_us=NOON + 2)
    assert [(one.by, one.label) for one in item.opinions] == [("Ada", 0)]
    assert item.state == "done"


def test_all_states_are_counted_by_time_and_environment(log, fill):
    names = fill(log, 6) + fill(log, 2, environment="staging")
    for name, opinions in zip(names, [(1,), (1, 0), (1, 1), (-1,)], strict=False):
        for number, label in enumerate(opinions):
            say(log, name, label, f"reviewer {number}")
    twice = ReviewPolicy(second_opinion=1.0)
    everything = queue_counts(log, policy=ONCE)
    assert everything == {"waiting": 4, "second": 0, "disagreement": 1, "done": 3}
    counts = queue_counts(log, environment="production", policy=twice)
    assert counts == {"waiting": 2, "second": 2, "disagreement": 1, "done": 1}
    first = SimpleNamespace(start_us=NOON, end_us=NOON + 2 * MINUTE)
    assert queue_counts(log, first, "production", policy=twice) == {
        "waiting": 0, "second": 1, "disagreement": 1, "done": 0}  # fmt: skip
    assert ids(review_queue(log, state="second", environment="production", policy=twice)) == [
        names[3], names[0]]  # fmt: skip
    assert len(review_queue(log, environment="staging")) == 2


def test_pages_lose_nothing_and_repeat_nothing(quick, fill):
    names = fill(quick, 250)
    for name in names[::2]:
        quick.label(Label(name, NOON + 1, 1, "ada", source="review"))
    assert ids(review_queue(quick, limit=1000)) == names[::-1]
    mine = review_queue(quick, limit=1000, reviewer="ADA")
    assert ids(mine) == [name for name in names[::-1] if names.index(name) % 2]


def test_what_people_complain_about_is_no_review(quick, fill):
    name = fill(quick, 1)[0]
    quick.label(Label(name, NOON + 5, 1, "reader"))
    assert find_item(quick, name).state == "waiting"
    assert not find_item(quick, name).opinions


def test_only_what_was_drawn_can_be_reviewed(quick, fill):
    name = fill(quick, 1, rate=0)[0]
    with pytest.raises(UsageError, match="was not drawn for review"):
        say(quick, name, 1, "ada")
    with pytest.raises(UsageError, match="holds no request nothing"):
        say(quick, "nothing", 1, "ada")
    assert not quick.labels(name)


@pytest.mark.parametrize(
    ("label", "by", "note", "said"),
    [(2, "ada", None, "no label"), (1, " ", None, "who says it"), (1, "a" * 101, None, "1 to 100"),
     (1, "a\0", None, "who says it"), (1, "ada", "n" * 1001, "note")],
)  # fmt: skip
def test_what_cannot_be_kept_is_said(quick, fill, label, by, note, said):
    name = fill(quick, 1)[0]
    with pytest.raises(UsageError, match=said):
        say(quick, name, label, by, note=note)
    assert not quick.labels(name)


def test_an_erased_request_takes_its_opinions_along(quick, fill):
    name = fill(quick, 1)[0]
    say(quick, name, 1, "ada")
    assert quick.erase(name)
    assert find_item(quick, name) is None
    assert sum(queue_counts(quick).values()) == 0


def test_cannot_tell_is_no_label_to_the_roll_ups(quick, fill):
    names = fill(quick, 3)
    quick.label(Label(names[0], NOON + 1, 1, "reader"))
    say(quick, names[0], -1, "ada")  # later: the label stays what it was
    say(quick, names[1], -1, "ada")
    make_rollups(quick)
    total = merged(read_rollups(quick, NOON, NOON + 3600_000_000))
    counted = sum(total.count(name) for name in ("tp", "fp", "tn", "fn"))
    assert total.count("labelled") == 1
    assert counted == (quick.find(names[0]).verdict != "inconclusive")


def test_media_are_found_by_the_request(quick, fill, tmp_path):
    first, second = fill(quick, 2)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / f"{first}.jpg").write_bytes(b"picture")
    media = {item.request_id: item.media for item in review_queue(quick, media=tmp_path / "media")}
    assert media == {first: tmp_path / "media" / f"{first}.jpg", second: None}
    assert find_item(quick, first, media=Path("nowhere")).media is None


def test_the_workload_is_what_the_policy_draws_of_the_last_days(quick, fill):
    policy = ReviewPolicy(rate=0.1, second_opinion=0.5)
    names = fill(quick, 120)
    make_rollups(quick)
    found = workload(quick, policy, NOON + 12 * 3600_000_000)
    row = [quick.find(name).items[0].score for name in names]
    times = [1 if one < 0.1 else 2 if one < 0.3 else 3 if one < 0.7 else 2 for one in row]
    assert found.requests == pytest.approx(240)
    assert found.drawn == pytest.approx(2 * 0.1 * sum(times), rel=0.1)
    assert found.opinions == pytest.approx(1.5 * found.drawn)
    assert workload(quick, policy, NOON + 40 * 24 * 3600_000_000) is None
