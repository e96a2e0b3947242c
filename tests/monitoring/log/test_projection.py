"""Projections of features, against numpy's own words for it."""

from __future__ import annotations

import numpy as np

from deepfake_lightning.media.quality import QUALITY_FEATURES
from deepfake_lightning.monitoring.log.projection import projection_of, projection_values
from deepfake_lightning.monitoring.log.totals import QUALITY


def test_a_projection_is_the_mean_along_the_components() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(5, 40)).astype(np.float32)
    mean = generator.normal(size=40).astype(np.float32)
    components = np.linalg.qr(generator.normal(size=(40, 8)))[0].T.astype(np.float32)
    stored = projection_of(features, mean, components)
    assert len(stored) == 4 * 8
    expected = (features.astype(float) - mean).mean(axis=0) @ components.T.astype(float)
    np.testing.assert_allclose(projection_values(stored), expected, rtol=1e-5, atol=1e-6)
    assert stored == np.asarray(projection_values(stored), "<f4").tobytes()


def test_the_log_keeps_the_features_that_are_measured() -> None:
    assert QUALITY == QUALITY_FEATURES
