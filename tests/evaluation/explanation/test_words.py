"""What the checks of maps permit to say."""

from __future__ import annotations

import pytest

from deepfake_lightning.evaluation.explanation.curves import Curve, Faithfulness, Kind
from deepfake_lightning.evaluation.explanation.randomised import Randomised
from deepfake_lightning.evaluation.explanation.words import checked_line, randomised_line


def curves(
    kind: Kind, by_map: float, centre: float, *random: float, start: float = 0.9
) -> Faithfulness:
    def curve(area: float) -> Curve:
        return Curve((start, 0.0), area)

    return Faithfulness(kind, curve(by_map), curve(centre), curve(0.5), random)


@pytest.mark.parametrize(
    ("deletion", "insertion", "said"),
    [
        ((0.1, 0.3, 0.2, 0.4), (0.9, 0.7, 0.8, 0.6), "the score does hang on where they point"),
        ((0.1, 0.05, 0.2, 0.4), (0.9, 0.7, 0.8, 0.6), "the middle of the face would do"),
        ((0.3, 0.4, 0.2, 0.4), (0.9, 0.7, 0.8, 0.6), "say little about what the network used"),
        ((0.1, 0.3, 0.2, 0.4), (0.7, 0.6, 0.8, 0.6), "say little about what the network used"),
    ],
)
def test_curves(deletion: tuple[float, ...], insertion: tuple[float, ...], said: str) -> None:
    gone, back = curves("deletion", *deletion), curves("insertion", *insertion)
    assert said in checked_line([gone], [back])


def test_a_low_score_says_nothing() -> None:
    gone = curves("deletion", 0.01, 0.02, 0.03, start=0.05)
    assert "says nothing here" in checked_line([gone], [curves("insertion", 0, 0, 0)])


@pytest.mark.parametrize(
    ("last", "said"),
    [(0.8, "much of what they show"), (0.1, "depend on"), (None, "nothing can be told")],
)
def test_shuffled_weights(last: float | None, said: str) -> None:
    told = randomised_line([Randomised.of("the classifier", [0.9]), Randomised.of("all", [last])])
    assert said in told and "with this shuffle" in told


def test_opposite_signs_do_not_cancel() -> None:
    """A map upside down is the picture's as much as the same map is."""
    found = Randomised.of("all", [0.9, -0.9, None])
    assert (found.correlation, found.strength) == pytest.approx((0.0, 0.9))
    assert "much of what they show is the picture" in randomised_line([found])
