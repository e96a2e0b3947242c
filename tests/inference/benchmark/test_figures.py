"""The formulas of a benchmark."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake_lightning.inference.benchmark.figures import cost_per_1000, latency, spread


def test_percentiles_are_numpys() -> None:
    seconds = np.random.default_rng(0).exponential(0.02, 257).tolist()
    found = latency(seconds)
    assert [found.p50, found.p95, found.p99] == pytest.approx(
        [1000 * np.quantile(seconds, q) for q in (0.5, 0.95, 0.99)]
    )
    assert latency([0.25]).p99 == 250


def test_spread_of_rounds() -> None:
    assert spread([10.0, 12.0, 11.0]) == pytest.approx(2 / 11)
    assert spread([7.0]) == 0


def test_cost() -> None:
    # 10 a second are 36,000 an hour: at 3.60 an hour 1,000 cost 0.10.
    assert cost_per_1000(3.6, 10.0) == pytest.approx(0.1)
    assert cost_per_1000(None, 10.0) is None
