"""A workspace in production: a trained version that serves, a log, and media that were kept."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.monitoring.log import (
    ItemScore,
    Label,
    LoggedRequest,
    PredictionLog,
    new_request_id,
)
from deepfake_lightning.monitoring.review import media_folder
from deepfake_lightning.retraining.looking import Setting
from deepfake_lightning.retraining.policy import RetrainPolicy, Train
from deepfake_lightning.schemas import write_manifest
from deepfake_lightning.storage import Workspace

START_US = 1_800_000_000_000_000  # 2027-01-15
SECOND_US = 1_000_000
LATER_US = 1_800_100_000_000_000  # than the labels
EASY_GATE = """
data: {items: 1, groups: 1, manifest: GATE}
floors: {auroc: null, recall: null, false_alarms: null, ece: null}
methods: {floors: {auroc: null, recall: null}}
against: {margins: {auroc: 1.0}}
cost: {cpu_ms: null, slower: null, seconds: 0.2}
integration: {environments: []}
"""


@dataclass
class Production:
    """A workspace whose log names v1.0.0.

    Attributes:
        workspace: it.
        log: its prediction log.
        write_picture: see ``tests/conftest.py``.
        asked: how many requests there were.
    """

    workspace: Workspace
    log: PredictionLog
    write_picture: Callable[..., Path]
    asked: int = 0

    @property
    def place(self) -> Path:
        """Where the log is."""
        return self.workspace.monitoring / "predictions.db"

    def ask(
        self,
        *,
        fake: bool,
        labels: Sequence[tuple[str, int, str]] = (),
        verdict: str = "no_indication",
        score: float = 0.1,
        seed: int | None = None,
        projection: Sequence[float] | None = None,
        kept: bool = True,
        already_cropped: bool | None = True,
        bundle: str = "ab" * 32,
    ) -> str:
        """Log a request, with its labels ``(client, label, source)``; return its id."""
        self.asked += 1
        ts_us = START_US + self.asked * SECOND_US
        name = new_request_id(ts_us)
        kept_features = None if projection is None else np.float32(projection).tobytes()
        item = ItemScore(0, "ok", 0.0, score, True, 1, 0, "v1.0.0", bundle, verdict=verdict,
                         projection=kept_features)  # fmt: skip
        row = LoggedRequest(
            name, ts_us, "v1.0.0", bundle, "/v1/predict", 200, 100, 1000,
            media_type="image", verdict=verdict, items=(item,), environment="production",
            already_cropped=already_cropped,
        )  # fmt: skip
        self.log.append_many([row], draw=lambda _: (1.0, "0-0.1"))
        for number, (client, label, source) in enumerate(labels):
            said: Any = Label(name, ts_us + number + 1, label, client, client=client, source=source)
            self.log.label(said)
        if kept:
            path = media_folder(self.workspace, self.log) / f"{name}.jpg"
            self.write_picture(path, seed=1000 + (self.asked if seed is None else seed), fake=fake)
        return name

    def reviewed(self, *, fake: bool, **more: Any) -> str:
        """Log a request of which a reviewer says what it is."""
        return self.ask(fake=fake, labels=[("ada", int(fake), "review")], **more)


@pytest.fixture
def production(tmp_path: Path, write_picture: Callable[..., Path]) -> Iterator[Production]:
    """Return a workspace with a log, and nothing else."""
    workspace = Workspace(tmp_path / "mlops")
    workspace.monitoring.mkdir(parents=True)
    with PredictionLog(workspace.monitoring / "predictions.db") as log:
        yield Production(workspace, log, write_picture)


@pytest.fixture
def deployed(production: Production, released: Any) -> Production:
    """Return such a workspace in which the version of ``released`` serves."""
    workspace = production.workspace
    for name in ("registry", "runs"):
        shutil.copytree(released.workspace / name, workspace.root / name)
    environment = Environment(workspace, "production")
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy", "the first"))
    return production


@pytest.fixture
def setting(deployed: Production) -> Setting:
    """Return what a loop needs: labelled requests, and a gate that asks little."""
    for number in range(16):
        deployed.reviewed(fake=number % 2 == 0)
    place = deployed.workspace
    rules = place.deployment / "policy" / "gate.yaml"
    rules.parent.mkdir(parents=True)
    gate = place.data / "gate"
    for number in range(6):
        for name in ("real", "fake"):
            deployed.write_picture(gate / name / f"{number}.jpg", seed=700 + number,
                                   fake=name == "fake")  # fmt: skip
    manifest = read_media(gate)
    write_manifest(manifest.with_rows(manifest.rows.assign(split="gate"), "given"),
                   gate / "manifest.csv")  # fmt: skip
    rules.write_text(EASY_GATE.replace("GATE", str(gate / "manifest.csv")))
    how = Train(flags={"trainer.max_epochs": 1})
    policy = RetrainPolicy(train=how, margin=0.99)
    return Setting(place, "production", deployed.place, policy, "ada", 1, clock=lambda: LATER_US)


@pytest.fixture
def serving(setting: Setting) -> Iterator[Any]:
    """Return a server that serves production, and its traffic: ``.url``, ``.traffic``."""
    module = runpy.run_path(str(Path(__file__).parents[1] / "serving" / "serve_process.py"))
    root = setting.workspace.root
    body = setting.workspace.data / "gate" / "real" / "0.jpg"
    server = module["ServeProcess"](root, "--env", "production", "--workers", 1)
    server.traffic = module["Traffic"](server.url, body.read_bytes(), threads=2, pause=0.5)
    yield server
    server.traffic.stop()
    server.destroy()
