"""What requests really were, as far as their labels may be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.retraining.label_policy import LabelPolicy
from deepfake_lightning.retraining.labelled import HELD, UNCHECKED, judged, read_labelled


def said(*labels: tuple[str, int, str]) -> list[Label]:
    return [
        Label("r", number, label, client, client=client, source=source)  # type: ignore[arg-type]
        for number, (client, label, source) in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("labels", "held", "found"),
    [
        ([("ada", 1, "review"), ("news", 0, "feedback")], (), (1, "reviewed")),
        ([("ada", 1, "review"), ("bob", 0, "review")], (), (None, "reviewers disagree")),
        ([("ada", -1, "review"), ("news", 1, "feedback")], (), (None, "reviewers cannot tell")),
        ([("news", 0, "feedback")], (), (0, "told")),
        ([("news", 0, "feedback"), ("news", 1, "feedback")], (), (1, "told")),  # its last word
        ([("news", 0, "feedback"), ("lab", 1, "feedback")], (),
         (None, "clients contradict each other")),
        ([("news", 0, "feedback"), ("lab", 1, "feedback")], ("lab",), (0, "told")),
        ([("lab", 1, "feedback")], ("lab",), (None, HELD)),
    ],
)  # fmt: skip
def test_reviewers_first_then_clients_that_agree(labels, held, found):
    assert judged(said(*labels), held) == found


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([("news", 0, "feedback")], (0, "told")),
        ([("new", 1, "feedback")], (None, UNCHECKED)),
        ([("new", 1, "feedback"), ("news", 0, "feedback")], (0, "told")),
        ([("new", 1, "feedback"), ("ada", 0, "review")], (0, "reviewed")),
        ([("news", 1, "import")], (None, UNCHECKED)),  # of an operator, a client of its own
        ([("new", -1, "feedback")], (None, "no label")),
        ([("bad", 1, "feedback")], (None, HELD)),
    ],
)
def test_what_cannot_be_checked_does_not_count(labels, found):
    assert judged(said(*labels), {"bad"}, {"news", "bad"}) == found


def test_who_is_alone_waits_for_reviews_unless_the_policy_says_train(production):
    told = production.ask(fake=True, labels=[("lab", 1, "feedback")], projection=[1.0, 0.0])
    bare = production.ask(fake=True, labels=[("ops", 1, "import")])  # nothing is known of it
    found = read_labelled(production.log, "production", LabelPolicy())
    assert (found.requests, found.left_out) == ((), {UNCHECKED: 2})
    free = read_labelled(production.log, "production", LabelPolicy(unchecked="train"))
    assert [one.request_id for one in free.requests] == [told, bare]
    production.log.label(Label(bare, 2_000_000_000_000_000, 1, "ada", source="review"))
    found = read_labelled(production.log, "production", LabelPolicy())
    assert [one.request_id for one in found.requests] == [bare]


def test_a_client_that_calls_everything_fake_trains_nothing(production):
    draw = np.random.default_rng(0)

    def ask(client: str, fake: bool, label: int) -> None:
        features = np.array([4.0 * fake, 0.0]) + draw.normal(0, 0.5, 2)
        production.ask(fake=fake, labels=[(client, label, "feedback")], projection=features,
                       kept=False)  # fmt: skip

    for number in range(120):
        ask(("lab", "desk")[number % 2], number % 3 == 0, int(number % 3 == 0))
    for number in range(25):
        ask("mallory", number % 3 == 0, 1)
    found = read_labelled(production.log, "production", LabelPolicy())
    assert [one.client for one in found.held] == ["mallory"]
    assert found.left_out == {HELD: 25}
    assert len(found.requests) == 120
    assert read_labelled(production.log, "staging", LabelPolicy()).requests == ()


def test_who_is_right_by_one_detector_is_checked_by_no_other(production):
    draw = np.random.default_rng(0)

    def ask(client: str, fake: bool, label: int, **more: str) -> str:
        features = np.array([4.0 * fake, 0.0]) + draw.normal(0, 0.5, 2)
        return production.ask(fake=fake, labels=[(client, label, "feedback")], kept=False,
                              projection=features, **more)  # fmt: skip

    for number in range(120):
        ask(("lab", "desk", "mallory")[number % 3], number % 2 == 0, int(number % 2 == 0))
    inverted = [ask("mallory", True, 0, bundle="cd" * 32) for _ in range(19)]
    inverted += [production.ask(fake=True, labels=[("mallory", 0, "feedback")], kept=False)
                 for _ in range(30)]  # without features  # fmt: skip
    found = read_labelled(production.log, "production", LabelPolicy())
    assert [one.pattern for one in found.clients] == ["none"] * 3
    assert len(found.requests) == 120
    assert found.left_out == {UNCHECKED: len(inverted)}
    free = read_labelled(production.log, "production", LabelPolicy(unchecked="train"))
    assert len(free.requests) == 120 + len(inverted)
