"""Intervals and verdicts, tried out on data whose truth is known; ``-m slow -s`` prints tables.

A person's clips share what is particular about the person: scores are normal with an effect per
group, and another one on its fakes. A group has 2 to 10 items, of both classes or of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import norm

from deepfake_lightning import metrics as m

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
DATA_SETS = 4000
DRAWS = 400
SLOPE = 1.4  # log-odds per unit of score: about calibrated


@dataclass(frozen=True)
class People:
    """Scores: -gap / 2 or gap / 2, effects of the group and of its fakes, and noise of 1."""

    gap: float
    of_group: float = 1.0
    of_fakes: float = 0.5
    groups: tuple[int, int] = (120, 200)

    @property
    def spreads(self) -> tuple[float, float]:
        real = self.of_group**2 + 1
        return real**0.5, (real + self.of_fakes**2) ** 0.5

    def draw(self, rng, detectors=1, shared=0.5):
        """Scores [D, N] of equally good detectors, labels and groups.

        ``shared`` is the part of the variance of each effect that detectors have in common.
        """
        count = int(rng.integers(*self.groups, endpoint=True))
        sizes = rng.integers(2, 10, count, endpoint=True)
        groups = np.repeat(np.arange(count), sizes)
        rate = rng.choice(
            [0.0, 0.5, 0.5, 1.0], count
        )  # of fakes: half of the groups have one class
        labels = (rng.random(groups.size) < rate[groups]).astype(int)

        def normal(size):
            alike = np.sqrt(shared) * rng.normal(size=size)
            return alike + np.sqrt(1 - shared) * rng.normal(size=(detectors, size))

        scores = self.gap * (labels - 0.5) + self.of_group * normal(count)[:, groups]
        scores = scores + self.of_fakes * normal(count)[:, groups] * labels + normal(groups.size)
        return SLOPE * scores, labels, groups

    def truth(self):
        """Metrics of all items there could be, half of them fake."""
        real, fake = self.spreads
        at = np.linspace(-12, 12, 400_001)
        step = at[1] - at[0]
        of_real, of_fake = norm.pdf(at, -self.gap / 2, real), norm.pdf(at, self.gap / 2, fake)
        fpr, tpr = norm.sf(at, -self.gap / 2, real), norm.sf(at, self.gap / 2, fake)
        chance = m.sigmoid(SLOPE * at)
        right = norm.cdf(self.gap / 2 / real), norm.cdf(self.gap / 2 / fake)
        gaps = (of_fake * (1 - chance) - of_real * chance) / 2 * step
        places = np.minimum((chance * 10).astype(int), 9)
        return {
            "accuracy": np.mean(right),
            "balanced_accuracy": np.mean(right),
            "precision": right[1] / (right[1] + 1 - right[0]),
            "recall": right[1],
            "f1": 2 * right[1] / (1 + right[1] + 1 - right[0]),
            "auroc": norm.cdf(self.gap / np.hypot(real, fake)),
            "average_precision": np.sum(of_fake * tpr / np.maximum(tpr + fpr, 1e-300)) * step,
            "eer": norm.cdf(-self.gap / (real + fake)),
            "tpr_at_fpr_1": norm.sf(real * norm.isf(0.01) - self.gap, 0, fake),
            "tpr_at_fpr_01": norm.sf(real * norm.isf(0.001) - self.gap, 0, fake),
            "log_loss": np.sum(of_real * np.logaddexp(0, SLOPE * at)
                               + of_fake * np.logaddexp(0, -SLOPE * at)) * step / 2,
            "brier": np.sum(of_real * chance**2 + of_fake * (1 - chance) ** 2) * step / 2,
            "ece": np.abs(np.bincount(places, weights=gaps)).sum(),
        }  # fmt: skip


def held(people, rows):
    """Shares of data sets whose interval holds the truth, lies above it, lies below it, by metric.

    Of those that have an interval; with ``rows`` each item is its own group.
    """
    rng, truth = np.random.default_rng(1), people.truth()
    counts = {name: np.zeros(3) for name in truth}
    for number in range(DATA_SETS):
        (scores,), labels, groups = people.draw(rng)
        names = np.arange(labels.size) if rows else groups
        found = m.summary_intervals(scores, labels, names, draws=DRAWS, seed=number)
        for name, one in found.items():
            if one.low is not None:
                above, below = one.low > truth[name], one.high < truth[name]
                counts[name] += not (above or below), above, below
    return {name: some / some.sum() if some.any() else None for name, some in counts.items()}


def print_held(people, found, of_rows):
    names = [f"{people.groups[0]}-{people.groups[1]} groups", "truth", "held", "above", "below"]
    print("\n" + f"{names[0]:18}" + "".join(f"{name:>8}" for name in [*names[1:], "by rows"]))
    for name, truth in people.truth().items():
        cells = [truth, *(found[name] if found[name] is not None else ()), *of_rows.get(name, ())]
        print(f"{name:18}" + "".join(f"{cell:8.4f}" for cell in cells))


def test_95_percent_intervals_hold_the_truth_in_95_percent_of_data_sets():
    """ECE, which is biased, holds it in 73 %; rows taken as groups hold AUROC in 79 %."""
    people = People(3.0)
    found, of_rows = held(people, rows=False), held(people, rows=True)
    print_held(
        people, found, {name: of_rows[name][:1] for name in found if found[name] is not None}
    )
    for name in set(m.METRIC_NAMES) - {"ece", "tpr_at_fpr_01"}:
        assert 0.94 <= found[name][0] <= 0.96, name
        assert of_rows[name][0] < 0.92, name
    assert 0.65 <= found["ece"][0] <= 0.96


@pytest.mark.parametrize("people", [People(4.5), People(3.0, groups=(25, 35))])
def test_intervals_of_good_detectors_and_of_few_groups(people):
    """Near 95 % still with an AUROC of 0.986 (EER and F1: 96 %).

    With 30 people log loss has 92 %, Brier 93 % and the share found at 1 % false alarms 90 %, the
    equal error rate 97 %; ECE has 87 % and 65 %.
    """
    found = held(people, rows=False)
    print_held(people, found, {})
    for name in set(m.METRIC_NAMES) - {"log_loss", "ece", "tpr_at_fpr_1", "tpr_at_fpr_01"}:
        assert 0.92 <= found[name][0] <= 0.98, name


def told_apart(people, rows):
    """Shares of data sets in which equally good detectors differ: by metric, and any of them."""
    rng = np.random.default_rng(2)
    wrong = dict.fromkeys((*m.COMPARED, "any"), 0)
    for number in range(DATA_SETS):
        scores, labels, groups = people.draw(rng, detectors=2)
        names = np.arange(labels.size) if rows else groups
        found = m.compare_summaries(*scores, labels, names, draws=DRAWS, seed=number)
        for name, one in found.items():
            wrong[name] += one.p < 0.05
        wrong["any"] += any(one.verdict != "cannot tell" for one in found.values())
    return {name: count / DATA_SETS for name, count in wrong.items()}


def test_equally_good_detectors_are_told_apart_as_rarely_as_stated():
    """p < 0.05 in 5 % of data sets by metric; any verdict, by Holm, in at most that."""
    clustered = People(3.0, groups=(100, 140))
    alone = People(3.0, of_group=0.0, of_fakes=0.0, groups=(100, 140))
    found = {
        "groups": told_apart(clustered, rows=False),
        "no clusters": told_apart(alone, rows=True),
        "groups as rows": told_apart(clustered, rows=True),
    }
    print("\n" + f"{'p < 0.05':18}" + "".join(f"{name:>16}" for name in found))
    for name in found["groups"]:
        print(f"{name:18}" + "".join(f"{rates[name]:16.4f}" for rates in found.values()))
    for case in ("groups", "no clusters"):
        assert 0.04 <= found[case]["auroc"] <= 0.06, case
        assert found[case]["any"] <= 0.05, case
        for name in m.COMPARED:
            assert 0.03 <= found[case][name] <= 0.07, (case, name)
    assert found["groups as rows"]["auroc"] > 0.07
    assert found["groups as rows"]["any"] > found["groups"]["any"]
