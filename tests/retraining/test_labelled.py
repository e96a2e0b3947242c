"""What requests really were, as far as their labels may be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.retraining.label_policy import LabelPolicy
from deepfake_lightning.retraining.labelled import HELD, judged, read_labelled


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


def test_a_client_that_calls_everything_fake_trains_nothing(production):
    draw = np.random.default_rng(0)

    def ask(client: str, fake: bool, label: int) -> None:
        features = np.array([4.0 * fake, 0.0]) + draw.normal(0, 0.5, 2)
        production.ask(fake=fake, labels=[(client, label, "feedback")], projection=features,
                       kept=False)  # fmt: skip

    for number in range(60):
        ask(("lab", "desk")[number % 2], number % 3 == 0, int(number % 3 == 0))
    for number in range(25):
        ask("mallory", number % 3 == 0, 1)
    found = read_labelled(production.log, "production", LabelPolicy())
    assert [one.client for one in found.held] == ["mallory"]
    assert found.left_out == {HELD: 25}
    assert len(found.requests) == 60
    assert read_labelled(production.log, "staging", LabelPolicy()).requests == ()
