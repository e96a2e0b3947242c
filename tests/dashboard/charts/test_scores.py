import pytest

from deepfake_lightning.dashboard.charts import scores
from deepfake_lightning.dashboard.deployments import ScoreReference
from deepfake_lightning.monitoring.drift import FeatureDrift
from deepfake_lightning.monitoring.log.totals import SCORE_EDGES

BINS = len(SCORE_EDGES) - 1
REFERENCE = ScoreReference((1 / BINS,) * BINS, 400, 200, "val", 2.0, -2.0)


def test_scores_stand_beside_those_of_the_measurement_with_the_verdicts_marked():
    figure = scores.distribution({"v1.0.0": [2] * BINS}, REFERENCE)
    reference, found = figure.data
    assert reference.name == "when it was measured (val split)"
    assert sum(reference.y) == pytest.approx(100)
    assert sum(found.y) == pytest.approx(100)
    assert {shape.x0 for shape in figure.layout.shapes} == {2.0, -2.0}
    assert figure.layout.xaxis.title.text == "calibrated probability of fake"
    middle = list(figure.layout.xaxis.ticktext).index("0.5")
    assert figure.layout.xaxis.tickvals[middle] == pytest.approx(0)


def test_scores_of_nothing_are_no_line():
    (found,) = scores.distribution({"v1.0.0": [0] * BINS}, None).data
    assert not found.y


def test_a_feature_is_drawn_on_the_edges_it_was_compared_on():
    found = FeatureDrift("noise", 0.001, 0.004, 0.4, 0.1, True, reference=(0.75, 0.25),
                         current=(0.25, 0.75), edges=(0.0, 1.0, 3.0))  # fmt: skip
    figure = scores.feature(found, "noise, grey levels")
    assert figure.layout.xaxis.title.text == "noise, grey levels"
    before, now = figure.data
    assert list(before.x) == [0.5, 2.0]
    assert list(before.width) == [1.0, 2.0]
    assert list(before.y) == [75, 25]
    assert list(now.y) == [25, 75]


def test_a_feature_that_was_not_compared_is_an_empty_chart():
    assert not scores.feature(FeatureDrift("noise", None, None, 0, 0.1, False), "noise").data
