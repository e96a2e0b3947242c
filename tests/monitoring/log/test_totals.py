"""Figures that are read off histograms."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake_lightning.monitoring.log.tables import COUNTS
from deepfake_lightning.monitoring.log.totals import LATENCY_EDGES, SHAPES, Totals


def totals_of(latency: np.ndarray) -> Totals:
    arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype, _) in SHAPES.items()}
    buckets = np.searchsorted(LATENCY_EDGES, latency, side="right")
    np.add.at(arrays["latency"], buckets, 1)
    arrays["counts"][COUNTS.index("requests")] = len(latency)
    return Totals(**arrays)


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("kind", ["lognormal", "two humps", "wide", "one"])
def test_percentiles_are_within_five_percent(kind: str, share: float) -> None:
    generator = np.random.default_rng(0)
    latency = {
        "lognormal": generator.lognormal(10, 1, 5000),
        "two humps": np.r_[generator.normal(2e4, 1e3, 4000), generator.normal(2e6, 1e5, 1000)],
        "wide": np.exp(generator.uniform(np.log(64), np.log(4e9), 5000)),
        "one": np.array([123_456]),
    }[kind].astype(np.int64)
    true = np.quantile(latency, share, method="inverted_cdf")
    assert totals_of(latency).latency_quantile(share) == pytest.approx(true, rel=0.05)


def test_no_bucket_is_too_wide() -> None:
    ratio = (LATENCY_EDGES[1:] - 1) / LATENCY_EDGES[:-1]
    assert np.sqrt(ratio.max()) < 1.05
    assert LATENCY_EDGES[0] == 64 and LATENCY_EDGES[-1] == 2**32


def test_nothing_is_undefined_and_not_zero() -> None:
    empty = totals_of(np.zeros(0, np.int64))
    assert empty.latency_quantile(0.5) is None
    assert empty.latency_mean() is None
    assert empty.stage_mean("network") is None
    assert empty.quality_mean_std("noise") is None
