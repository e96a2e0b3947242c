"""Real candidates, scored on a real gate split: better, equal, worse, slow."""

from __future__ import annotations

import json
import shutil

import pytest

from deepfake_lightning.bundle.build import build_bundle
from deepfake_lightning.data.audit.ledger import ledger_path
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.deployment.deploying import Wish, deploy
from deepfake_lightning.deployment.environment import Environment
from deepfake_lightning.deployment.gate.policy import (
    Against,
    Cost,
    Data,
    Floors,
    GatePolicy,
    Integration,
    TrainingData,
)
from deepfake_lightning.registry import Registry, register_bundle
from deepfake_lightning.registry import Wish as Registered
from deepfake_lightning.schemas import write_manifest
from deepfake_lightning.storage import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PEOPLE = 80


@pytest.fixture(scope="module")
def data(tmp_path_factory, write_picture):
    """Return a manifest whose gate split has 80 people that no training has seen."""
    root = tmp_path_factory.mktemp("gate") / "faces"
    for person in range(PEOPLE):
        for name in ("real", "fake"):
            path = root / name / f"someone{person}.jpg"
            write_picture(path, seed=5000 + person, fake=name == "fake")
    manifest = read_media(root)
    path = root.parent / "manifest.parquet"
    write_manifest(manifest.with_rows(manifest.rows.assign(split="gate"), "given"), path)
    return path


@pytest.fixture(scope="module")
def weak(trained, tmp_path_factory):
    """Return the bundle of a training whose weights have gone half astray."""
    import torch

    run = shutil.copytree(trained.result.run_dir, tmp_path_factory.mktemp("weak") / "run")
    path = run / "checkpoints" / trained.result.best_checkpoint.name
    checkpoint = torch.load(path, weights_only=True)
    noise = torch.Generator().manual_seed(1)
    for name, one in checkpoint["state_dict"].items():
        if name.endswith("weight") and one.ndim > 1:
            checkpoint["state_dict"][name] = one + one.std() * torch.randn(
                one.shape, generator=noise
            )
    torch.save(checkpoint, path)
    build_bundle(path, run / "bundle")
    return run / "bundle"


@pytest.fixture
def place(tmp_path, crop_bundle, weak):
    """Return a workspace with a weak v1.0.0 and a good v1.1.0, which is v1.2.0, too."""
    workspace = Workspace(tmp_path / "mlops")
    for version, folder in (
        ("v1.0.0", weak), ("v1.1.0", crop_bundle.folder), ("v1.2.0", crop_bundle.folder)
    ):  # fmt: skip
        register_bundle(Registry(workspace), folder, Registered(version))
    return workspace


def rules(manifest, **more):
    given = {
        "data": Data(manifest=str(manifest), already_cropped=True, items=50, groups=20),
        "floors": Floors(auroc=None, recall=None, false_alarms=None, ece=None),
        "against": Against(margins={"auroc": 0.05}, draws=500),
        "cost": Cost(cpu_ms=None, slower=None),
        "training": TrainingData(audited=False),
        "integration": Integration(environments=()),
        "media": (),
    }
    return GatePolicy(**given | more)


def decided(place, version, policy, **more):
    found = deploy(place, Wish(version, "staging", policy, workers=1, **more))
    return found, [one.name for one in found.decision.failed]


def test_better_equal_worse_and_slow_candidates(place, data):
    staging = Environment(place, "staging")
    first, failed = decided(place, "v1.0.0", rules(data))
    assert (first.decision.outcome, failed) == ("passed", [])
    assert first.decision.evidence.compared is None

    wanted = rules(data, against=Against(margins={"auroc": 0.05}, better=("auroc",), draws=500))
    better, failed = decided(place, "v1.1.0", wanted)
    assert (better.decision.outcome, failed) == ("passed", [])
    assert better.decision.evidence.compared.differences["auroc"].verdict == "better"
    assert better.decision.evidence.measured.looks == 3
    assert better.decision.evidence.measured.detectors == 2
    assert (better.folder / "comparison.html").is_file()
    assert 'href="comparison.html"' in (better.folder / "page.html").read_text()
    assert staging.record().versions == ("v1.1.0",)

    equal, failed = decided(place, "v1.2.0", wanted)
    assert failed == ["better: AUROC"]
    equal, failed = decided(place, "v1.2.0", rules(data), dry_run=True)
    assert (equal.decision.outcome, failed) == ("passed", [])

    worse, failed = decided(place, "v1.0.0", rules(data))
    assert failed == ["not worse: AUROC"]
    assert "it is worse than v1.1.0" in worse.decision.failed[0].why
    assert json.loads((worse.folder / "decision.json").read_text())["outcome"] == "refused"
    assert staging.record().versions == ("v1.1.0",)

    slow, failed = decided(place, "v1.2.0", rules(data, cost=Cost(cpu_ms=1e-6, seconds=0.5)))
    assert failed == ["latency"]
    timed = slow.decision.evidence.timed
    assert 0.5 < timed.ratio < 2  # the same network beside itself
    commands = [json.loads(line)["command"] for line in ledger_path(place).open()]
    assert commands == ["deploy"] * 11


def test_floors_hold_a_first_version_back_and_data_without_a_split_too(place, data, tmp_path):
    high = rules(data, floors=Floors(auroc=0.999, recall=None, false_alarms=None, ece=None))
    _, failed = decided(place, "v1.0.0", high)
    assert failed == ["floor: AUROC"]
    found, failed = decided(place, "v1.0.0", rules(data, data=Data(items=1)))
    assert failed == ["gate split"]
    assert "there is no gate split" in found.decision.failed[0].says
    few = rules(data, data=Data(manifest=str(data), already_cropped=True, items=PEOPLE + 1))
    assert decided(place, "v1.0.0", few)[1] == ["gate split"]
