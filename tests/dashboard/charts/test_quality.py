import pytest

from deepfake_lightning.dashboard.charts import drift, experiment, quality
from deepfake_lightning.deployment.experiments.decision import Point
from deepfake_lightning.monitoring.drift import DriftRecord, FeatureDrift
from deepfake_lightning.monitoring.windows import AuditedQuality, Estimate
from deepfake_lightning.schemas.measured import MeasuredValue


def _audited(**metrics):
    names = ("inconclusive", "prevalence", "accuracy", "balanced_accuracy", "precision", "recall",
             "fpr", "f1", "auroc")  # fmt: skip
    return AuditedQuality(
        version="v1.0.0", variant="serving", labels=80, effective=70.0, fakes=40, drawn=100,
        coverage=0.8, delay_median_s=60.0, delay_p90_s=600.0, disagreements=1, undecided=2,
        unscored=0, unheard=0, **{name: metrics.get(name) for name in names},
    )  # fmt: skip


def test_a_metric_has_its_interval_and_undefined_ones_have_no_point():
    found = _audited(balanced_accuracy=Estimate(0.8, 0.7, 0.95), precision=None)
    (drawn,) = quality.intervals({"v1.0.0": found}, {}).data
    assert list(drawn.x) == [0.8]
    assert list(drawn.text) == ["balanced accuracy"]
    assert drawn.error_x.array[0] == pytest.approx(0.15)
    assert drawn.error_x.arrayminus[0] == pytest.approx(0.1)


def test_the_measurement_stands_beside_it():
    found = _audited(recall=Estimate(0.8, 0.7, 0.9))
    own = {"recall": MeasuredValue(value=0.9), "fpr": MeasuredValue(value=None)}
    now, before = quality.intervals({"v1.0.0": found}, {"v1.0.0": own}).data
    assert before.name == "v1.0.0 when it was measured"
    assert list(before.x) == [0.9]
    assert now.marker.color != before.marker.color


def test_drift_that_moved_is_larger_and_says_what():
    one = FeatureDrift("noise", 0.001, 0.004, 0.4, 0.1, True)
    records = [
        DriftRecord("production", "v1.0.0", 0, 60_000_000 * (at + 1), 500, score, moved,
                    moved and at > 1, (one,) if moved else (), None, ())
        for at, (score, moved) in enumerate([(0.2, False), (0.9, True), (0.9, True)])
    ]  # fmt: skip
    figure = drift.over_time(records)
    (line,) = figure.data
    assert list(line.y) == [0.2, 0.9, 0.9]
    assert line.marker.size[0] < line.marker.size[1]
    assert list(line.marker.symbol) == ["circle", "circle", "diamond"]
    assert line.text[1] == "noise, 500 items"
    assert line.text[2] == "noise (confirmed), 500 items"


def test_a_difference_of_shares_is_in_points_of_percent():
    path = [Point(1, 60, 0.02, -0.05, 0.09), Point(2, 90, 0.03, 0.01, 0.05)]
    figure = experiment.difference(path, 0.01, percent=True)
    assert list(figure.data[2].y) == pytest.approx([2, 3])
    assert "points of percent" in figure.layout.yaxis.title.text
    assert {round(one.y0, 6) for one in figure.layout.shapes} == {-1, 0, 1}
