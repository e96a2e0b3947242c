"""Traffic whose properties are known, and a registered version that it may have drifted from."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace

NOON = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC
MINUTE = 60_000_000
WIDTH = 4
# name -> mean, standard deviation
NORMAL = {"logit": (0.0, 2.0), "brightness": (100.0, 20.0), "contrast": (40.0, 8.0),
          "saturation": (45.0, 10.0), "sharpness": (90.0, 15.0), "noise": (0.5, 0.1),
          "blockiness": (1.0, 0.05)}  # fmt: skip


@dataclass
class Traffic:
    """Requests with one item each, drawn from a seed."""

    log: PredictionLog
    sent: int = 0
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def send(
        self, number: int, *, minute: float = 0, minutes: float = 60, shift: float = 0.0,
        feature: str = "brightness", version: str = "v1.0.0",
        environment: str | None = "production", roll_up: bool = True, **item: Any,
    ) -> list[str]:  # fmt: skip
        """Log requests, evenly over some minutes after noon; ``shift`` is in standard deviations,
        of a feature, or of the first component of the embedding.
        """
        rows = []
        for place in range(number):
            ts_us = NOON + round((minute + minutes * place / number) * MINUTE)
            drawn = {name: self.generator.normal(mean + shift * std * (name == feature), std)
                     for name, (mean, std) in NORMAL.items()}  # fmt: skip
            at = self.generator.normal(size=WIDTH) + np.eye(WIDTH)[0] * shift * (
                feature == "embedding"
            )
            fields = {**drawn, "projection": at.astype("<f4").tobytes(), "status": "ok", **item}
            score = ItemScore(
                item=0, score=0.5, calibrated=True, faces=1, tracks=1, version=version,
                bundle="ab" * 32, verdict="no_indication", **fields,
            )  # fmt: skip
            rows.append(LoggedRequest(
                id=f"r{self.sent:06d}", ts_us=ts_us, version=version, bundle="ab" * 32,
                route="/v1/predict", http_status=200, bytes=1, latency_us=1000, media_type="image",
                verdict="no_indication", items=(score,), environment=environment,
            ))  # fmt: skip
            self.sent += 1
        random.Random(0).shuffle(rows)
        self.log.append_many(rows)
        if roll_up:
            make_rollups(self.log)
        return sorted(row.id for row in rows)


@pytest.fixture
def log(tmp_path: Path) -> Any:
    with PredictionLog(tmp_path / "predictions.db") as opened:
        yield opened


@pytest.fixture
def traffic(log: PredictionLog) -> Traffic:
    return Traffic(log)


def reference_arrays(number: int = 600, seed: int = 99, **more: Any) -> dict[str, Any]:
    """What a bundle's reference holds of items like those of ``Traffic``."""
    generator = np.random.default_rng(seed)
    columns = {name: generator.normal(mean, std, number) for name, (mean, std) in NORMAL.items()}
    quality = np.stack([columns[name] for name in list(NORMAL)[1:]], axis=1)
    arrays = {"item_logit": columns["logit"], "item": np.arange(number), "quality": quality,
              "projections": generator.normal(size=(number, WIDTH))}  # fmt: skip
    return {**arrays, **more}


@pytest.fixture(scope="session")
def drift_registered(made_once: Callable[..., Any], crop_bundle: Any) -> Workspace:
    """Return a workspace whose v1.0.0 has a reference of 600 items; to be read."""

    def make(root: Path) -> Path:
        bundle = shutil.copytree(crop_bundle.folder, root / "bundle")
        path = bundle / "reference.safetensors"
        arrays = {**load(path.read_bytes()), **reference_arrays()}
        path.write_bytes(save({name: np.ascontiguousarray(each) for name, each in arrays.items()}))
        write_sums(bundle)
        register_bundle(Registry(Workspace(root / "mlops")), bundle, Wish("v1.0.0"))
        return root / "mlops"

    return Workspace(made_once("drift_registered", make))


@pytest.fixture
def workspace(drift_registered: Workspace, tmp_path: Path) -> Workspace:
    """Return such a workspace of the test's own."""
    shutil.copytree(drift_registered.root, tmp_path / "mlops")
    return Workspace(tmp_path / "mlops")
