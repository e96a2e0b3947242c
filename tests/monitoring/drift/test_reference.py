"""What windows are compared with: bundles with and without their pictures' items, baselines."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from safetensors.numpy import load, save
from sqlalchemy import insert, select

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.errors import BundleError, StorageError, UsageError
from deepfake_lightning.monitoring.drift import DriftPolicy, read_baseline, set_baseline
from deepfake_lightning.monitoring.drift.reference import (
    bundle_reference,
    item_means,
    reference_for,
)
from deepfake_lightning.monitoring.log.projection import projection_values
from deepfake_lightning.monitoring.log.tables import erased, item_scores

NOON, HOUR = 1_700_049_600_000_000, 3_600_000_000


@dataclass
class Period:
    start_us: int = NOON
    end_us: int = NOON + HOUR


@pytest.fixture
def bundle_with(crop_bundle, tmp_path):
    def make(arrays):
        folder = shutil.copytree(crop_bundle.folder, tmp_path / "bundle", dirs_exist_ok=True)
        path = folder / "reference.safetensors"
        old = load(path.read_bytes())
        path.write_bytes(save({**{k: v for k, v in old.items() if k != "item"}, **arrays}))
        write_sums(folder)
        return load_bundle(folder)

    return make


@pytest.mark.slow
def test_a_new_bundles_pictures_are_means_over_items(frame_bundle):
    """Its clips have several pictures each, as the log has one mean of each clip."""
    bundle = load_bundle(frame_bundle.folder)
    arrays = load((frame_bundle.folder / "reference.safetensors").read_bytes())
    items = len(arrays["item_logit"])
    assert len(arrays["logit"]) > items
    assert sorted(set(arrays["item"].tolist())) == list(range(items))
    # An item's score is of its own pictures.
    for item in range(items):
        of_item = arrays["logit"][arrays["item"] == item]
        assert of_item.min() - 1e-5 <= arrays["item_logit"][item] <= of_item.max() + 1e-5
    reference = bundle_reference(bundle)
    assert reference.of_items
    assert (len(reference.quality), len(reference.projections)) == (items, items)
    first = arrays["quality"][arrays["item"] == 0].mean(axis=0)
    np.testing.assert_allclose(reference.quality[0], first, rtol=1e-5)


def test_item_means_are_those_of_each_item():
    values = np.array([[1.0, 10], [3, 30], [5, 50], [7, 70]])
    assert item_means(values, np.array([1, 0, 1, 1])).tolist() == [[3, 30], [13 / 3, 130 / 3]]


def test_an_older_bundle_of_one_picture_an_item_is_as_good(bundle_with):
    reference = bundle_reference(bundle_with({}))
    assert reference.of_items
    assert reference.notes == ()


def test_an_older_bundle_of_clips_says_that_it_knows_pictures_alone(bundle_with):
    reference = bundle_reference(bundle_with({"item_logit": np.zeros(3, np.float32)}))
    assert not reference.of_items
    assert "alone, not for its clips" in reference.notes[0]


def test_a_bundle_whose_reference_is_none_is_refused(bundle_with):
    with pytest.raises(BundleError, match="does not hold the reference"):
        bundle_reference(bundle_with({"quality": np.zeros((3, 2), np.float32)}))


def test_a_baseline_is_what_came_in_that_time(traffic, log, workspace):
    traffic.send(300, minutes=60, shift=2)
    traffic.send(300, minute=60, minutes=60)
    baseline = set_baseline(log, workspace, "production", "v1.0.0", Period())
    assert baseline.path == workspace.monitoring / "drift" / "production-v1.0.0.safetensors"
    assert (baseline.start_us, baseline.end_us) == (NOON, NOON + HOUR)
    assert (np.diff(baseline.logit) >= 0).all()
    assert baseline.quality[:, 0].mean() == pytest.approx(140, abs=4)
    assert baseline.projections.shape == (300, 4)
    # No name of a request, and no order of time.
    assert b"r000" not in baseline.path.read_bytes()
    assert (np.diff(baseline.projections[:, 0]) >= 0).all()

    policy = DriftPolicy(reference="baseline")
    reference = reference_for(workspace, "production", "v1.0.0", policy)
    assert (reference.kind, reference.identity) == ("baseline", baseline.identity)
    assert len(reference.logit) == 300


def test_without_a_baseline_the_bundles_reference_is_used_and_that_is_said(workspace):
    policy = DriftPolicy(reference="baseline")
    reference = reference_for(workspace, "production", "v1.0.0", policy)
    assert (reference.kind, len(reference.logit)) == ("bundle", 600)
    assert reference.notes == (
        "no baseline is set for v1.0.0 in production: compared with the bundle's reference instead",
    )
    assert reference_for(workspace, "production", "v1.0.0", DriftPolicy()).notes == ()


def test_a_baseline_takes_some_items_and_names(traffic, log, workspace):
    traffic.send(199)
    with pytest.raises(UsageError, match="has scored 199 items in production in that time"):
        set_baseline(log, workspace, "production", "v1.0.0", Period())
    with pytest.raises(UsageError, match="no name"):
        set_baseline(log, workspace, "../production", "v1.0.0", Period())
    assert not (workspace.monitoring / "drift").exists()
    assert read_baseline(workspace, "production", "v1.0.0") is None


def test_a_damaged_baseline_is_said(workspace):
    path = workspace.monitoring / "drift" / "production-v1.0.0.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 40)
    with pytest.raises(StorageError, match="is no baseline"):
        read_baseline(workspace, "production", "v1.0.0")


def test_embeddings_of_erased_requests_are_left_out(traffic, log, workspace):
    names = traffic.send(300, minutes=60)
    baseline = set_baseline(log, workspace, "production", "v1.0.0", Period())
    gone = names[::3]
    rows = [{"id": hashlib.sha256(one.encode()).hexdigest()[:32], "ts_us": NOON} for one in gone]
    query = select(item_scores.c.projection).where(item_scores.c.request_id.not_in(gone))
    with log.writing() as connection:
        kept = connection.scalars(query).all()
        connection.execute(insert(erased), rows)
    found = read_baseline(workspace, "production", "v1.0.0", log).projections
    assert len(baseline.projections) == 300
    expected = np.stack([projection_values(one) for one in kept]).astype(np.float64)
    assert sorted(map(tuple, found)) == sorted(map(tuple, expected))
    policy = DriftPolicy(reference="baseline")
    reference = reference_for(workspace, "production", "v1.0.0", policy, log)
    assert np.array_equal(reference.projections, found)
