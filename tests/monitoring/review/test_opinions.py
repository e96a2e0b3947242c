"""What several reviewers agree on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.monitoring.review import opinions, settled, state_of
from deepfake_lightning.monitoring.review.opinions import reviewer_of

LABELS = st.lists(
    st.builds(
        Label,
        request_id=st.just("r"),
        ts_us=st.integers(0, 5),
        label=st.sampled_from([0, 1, -1]),
        by=st.sampled_from(["ada", "grace", "linus", "joan", " Ada", "ADA "]),
        source=st.sampled_from(["review", "review", "review", "feedback", "import"]),
    ),
    max_size=8,
).map(lambda labels: [
    Label(one.request_id, one.ts_us, one.label, one.by, source=one.source, id=number)
    for number, one in enumerate(labels)
])  # fmt: skip


def said(*given):
    """``said("ada: 1", "grace: 0")``, in order of time."""
    pairs = [one.split(": ") for one in given]
    return [Label("r", 10 * number, int(label), by, source="review", id=number)
            for number, (by, label) in enumerate(pairs)]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "label", "state"),
    [((), None, "waiting"),
     (("ada: 1",), 1, "done"),
     (("ada: -1",), -1, "done"),
     (("ada: 1", "grace: 1"), 1, "done"),
     (("ada: 1", "grace: 0"), None, "disagreement"),
     (("ada: 1", "grace: -1"), None, "disagreement"),
     (("ada: 1", "grace: 0", "linus: 0"), 0, "done"),
     (("ada: 1", "grace: 0", "linus: -1"), None, "disagreement"),
     (("ada: 1", "grace: 0", "linus: -1", "joan: 1"), 1, "done"),
     (("ada: 1", "grace: 0", "ADA : 0"), 0, "done"),
     (("ada: 1", "ada: 1", "grace: 0"), None, "disagreement")],
)  # fmt: skip
def test_two_who_disagree_need_a_third(given, label, state):
    assert settled(said(*given)) == label
    assert state_of("r", said(*given), second_share=0.0) == state


def test_one_in_so_many_is_looked_at_twice():
    assert state_of("r", said("ada: 1"), second_share=1.0) == "second"
    assert state_of("r", said("ada: 1", "ada: 0"), second_share=1.0) == "second"
    assert state_of("r", said("ada: 1", "grace: 1"), second_share=1.0) == "done"


@settings(max_examples=50, deadline=None)
@given(labels=LABELS, data=st.data())
def test_the_order_in_which_labels_are_given_plays_no_part(labels, data):
    shuffled = data.draw(st.permutations(labels))
    assert opinions(shuffled) == opinions(labels)
    assert settled(shuffled) == settled(labels)


@settings(max_examples=50, deadline=None)
@given(labels=LABELS)
def test_a_reviewer_counts_once_with_what_they_said_last(labels):
    known = opinions(labels)
    assert len({reviewer_of(one.by) for one in known}) == len(known)
    for one in known:
        name = reviewer_of(one.by)
        mine = [
            other for other in labels if other.source == "review" and reviewer_of(other.by) == name
        ]
        assert one == max(mine, key=lambda other: (other.ts_us, other.id))
    assert settled(known) == settled(labels)


@settings(max_examples=50, deadline=None)
@given(labels=LABELS)
def test_real_and_fake_are_treated_alike(labels):
    mirrored = [
        Label(one.request_id, one.ts_us, {0: 1, 1: 0}.get(one.label, -1), one.by,
              source=one.source, id=one.id) for one in labels
    ]  # fmt: skip
    turned = {0: 1, 1: 0}
    assert settled(mirrored) == turned.get(settled(labels), settled(labels))


@settings(max_examples=50, deadline=None)
@given(labels=LABELS)
def test_what_others_than_reviewers_say_plays_no_part(labels):
    reviews = [one for one in labels if one.source == "review"]
    assert settled(labels) == settled(reviews)
    assert (settled(labels) is None) == (state_of("r", labels, 0.0) in ("waiting", "disagreement"))


@settings(max_examples=50, deadline=None)
@given(labels=LABELS, label=st.sampled_from([0, 1, -1]))
def test_enough_who_agree_settle_it(labels, label):
    others = [Label("r", 99, label, f"new {number}", source="review", id=100 + number)
              for number in range(len(labels) + 1)]  # fmt: skip
    assert settled([*labels, *others]) == label
