"""What a server is told of a version."""

from __future__ import annotations

from typing import Any

from deepfake_lightning.bundle.load import PROVENANCE
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.mirror.records import metrics_of, params_of, tags_of
from deepfake_lightning.schemas.measured import Measured, MeasuredValue


def measured(**metrics: MeasuredValue) -> Measured:
    return Measured(
        created="2026-01-01T00:00:00+00:00", split="test", content_hash="c0", split_policy="group",
        looks=1, real=3, fake=4, unscored=1, groups=5, metrics={"item": metrics},
    )  # fmt: skip


def test_figures_with_their_intervals_and_nothing_for_what_is_undefined() -> None:
    found = metrics_of(
        measured(auroc=MeasuredValue(value=0.9, low=0.8, high=0.95), eer=MeasuredValue(value=None))
    )
    assert found == {
        "test/real": 3, "test/fake": 4, "test/unscored": 1,
        "item/auroc": 0.9, "item/auroc_low": 0.8, "item/auroc_high": 0.95,
    }  # fmt: skip
    assert metrics_of(None) == {}


def test_a_configuration_is_flat_and_of_a_length_that_is_taken() -> None:
    found = params_of({
        "config": {"model": {"lr": 0.001, "drop": None, "freeze": False}, "trainer": {"n": []},
                   "data": {"splits": {"train": 0.7}, "notes": "x" * 9000}, "a:b": "c"},
        "training": {"seed": 42, "seconds": 7.5},
    })  # fmt: skip
    assert found.pop("data.notes") == "x" * 5000
    assert found == {
        "model.lr": "0.001", "model.freeze": "false", "trainer.n": "[]", "data.splits.train": "0.7",
        "a_b": "c", "training.seed": "42",
    }  # fmt: skip


def test_lineage_leads_back_to_data_code_and_parent(registry: Registry) -> None:
    bundle, entry = registry.bundle("v1.1.0"), registry.get("v1.1.0")
    provenance: Any = bundle.read_json(PROVENANCE)
    provenance["code"] = {"commit": "abc", "changed": True}
    tags = tags_of(entry, provenance, measured())
    assert tags["deepfake.version"] == "v1.1.0"
    assert tags["deepfake.digest"] == bundle.digest
    assert tags["deepfake.parent"] == "v1.0.0"
    assert tags["deepfake.data_hash"] == provenance["data"]["content_hash"]
    assert (tags["deepfake.git_commit"], tags["deepfake.git_changed"]) == ("abc", "true")
    assert (tags["deepfake.scored_hash"], tags["deepfake.by"]) == ("c0", "ben")
    assert "deepfake.reason" not in tags  # there is none
