"""Expressions that are computed here and by Prometheus alike."""

from __future__ import annotations

from math import sqrt

import pytest

from deepfake_lightning.monitoring.alerts.traffic import share_low as exact_low
from deepfake_lightning.serving.prometheus.promql import bucket, duration, share_low


@pytest.mark.parametrize("number", [60, 100, 250, 1000, 20_000])
def test_the_interval_lies_near_that_of_the_rounds(number):
    """Rounds take Clopper & Pearson's; near a share of 1, which is no limit, they part."""
    formula = share_low("hits", "number")
    for hits in {*range(1, 30), number // 20, number // 4, number // 2}:
        here = eval(formula, {"sqrt": sqrt, "hits": hits, "number": number})
        assert here == pytest.approx(exact_low(hits, number), abs=0.6 / number + 0.001)


def test_the_interval_is_that_of_the_paper():
    low = eval(share_low("hits", "number"), {"sqrt": sqrt, "hits": 81, "number": 263})
    assert low == pytest.approx(0.2535, abs=5e-5)


def test_words_of_prometheus():
    assert [duration(minutes) for minutes in (0, 0.5, 5, 10080)] == ["0s", "30s", "5m", "10080m"]
    assert [bucket(edge) for edge in (0.5, 1, 10)] == ["0.5", "1.0", "10.0"]
