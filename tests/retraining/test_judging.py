"""Whether a new version may go on."""

from __future__ import annotations

import pytest

from deepfake_lightning.metrics import PairedDifference
from deepfake_lightning.retraining.judging import judge_version


def auroc(before: float, now: float) -> PairedDifference:
    difference = now - before
    return PairedDifference("auroc", before, now, difference, difference - 0.02, difference + 0.02)


@pytest.mark.parametrize(
    ("test", "new", "goes", "says"),
    [
        (auroc(0.9, 0.895), auroc(0.6, 0.8), True, ("is kept", "is better")),
        (auroc(0.9, 0.88), auroc(0.6, 0.9), False, ("forgotten too much", "is better")),
        (auroc(0.9, 0.9), auroc(0.6, 0.5), False, ("is kept", "is worse")),
        (auroc(0.9, 0.9), auroc(0.6, 0.59), True, ("is kept", "cannot tell")),
        (None, None, True, ("no test split", "too few items")),
    ],
)
def test_it_neither_forgets_nor_gets_worse(test, new, goes, says):
    found = judge_version(test, new, 0.01)
    assert found.goes is goes
    for sentence, part in zip(found.says, says, strict=True):
        assert part in sentence
