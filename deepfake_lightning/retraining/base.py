"""The version that a training starts from: its training, its data, its checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from deepfake_lightning.bundle.runs import checkpoint_with
from deepfake_lightning.deployment.environment import Environment, main_version
from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry import Entry, Registry
from deepfake_lightning.retraining.new_items import ITEM, REQUESTS
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.schemas import Manifest, read_manifest
from deepfake_lightning.storage import RUN_CONFIG, RUN_MANIFEST, RUN_RECORD, Workspace


@dataclass(frozen=True)
class Base:
    """A registered version, and where it comes from.

    Attributes:
        entry: the version, as the registry lists it.
        run: folder of its training.
        config: what its training was asked for, as ``fit`` takes it.
        manifest: the data that new items are added to, with their splits.
        checkpoint: what the version was made of; None where it is gone.
        began_us: when its training began, or the loop that it came of: what came later is not in
            its data. Microseconds since 1970, UTC.
    """

    entry: Entry
    run: Path
    config: dict[str, Any]
    manifest: Manifest
    checkpoint: Path | None
    began_us: int

    @property
    def version(self) -> str:
        """Its name."""
        return self.entry.version

    @property
    def data(self) -> dict[str, Any]:
        """Settings of the data of its training."""
        return dict(self.config.get("data") or {})

    def files(self) -> frozenset[Path]:
        """Return the files of the data, resolved."""
        paths = self.manifest.rows["path"].drop_duplicates()
        return frozenset((self.manifest.root / path).resolve() for path in paths)

    def learnt(self) -> dict[str, int]:
        """Return the requests whose media are trained on: id -> the label they have there."""
        rows = self.manifest.rows
        own = rows[(rows["split"] == "train") & (rows["dataset"] == REQUESTS)]
        labels = own.drop_duplicates("video_id").set_index("video_id")["label"]
        return {name.removeprefix(ITEM): int(label) for name, label in labels.items()}


def serving(workspace: Workspace, environment: str) -> str:
    """Return the version with most of the traffic.

    Raises:
        UsageError: none serves there.
    """
    version = main_version(Environment(workspace, environment).record())
    if version is None:
        raise UsageError(
            f"nothing serves in {environment}",
            why="a training starts from what serves, and is held against it",
            next_step=f"deepfake-lightning deploy VERSION --env {environment}",
        )
    return version


def base_of(workspace: Workspace, version: str, policy: RetrainPolicy) -> Base:
    """Return a version as what a training starts from.

    Raises:
        UsageError: there is no such version, or its training is not in this workspace.
        TableError: its manifest, or the policy's, is wrong.
        DataError: the record of a loop is damaged.
    """
    registry = Registry(workspace)
    entry = registry.get(version)
    run = registry.run_of(entry)
    if run is None or not (run / RUN_CONFIG).is_file() or not (run / RUN_MANIFEST).is_file():
        raise UsageError(
            f"the training of {entry.version} is not in {run or workspace.runs}",
            why="another one is trained as it was, on its data and new ones",
            next_step=f"copy the folder of its training there, with {RUN_CONFIG} and "
            f"{RUN_MANIFEST}",
        )
    config = yaml.safe_load((run / RUN_CONFIG).read_text("utf-8")) or {}
    path = Path(policy.base) if policy.base is not None else run / RUN_MANIFEST
    return Base(entry, run, config, read_manifest(path), checkpoint_with(run, entry.checkpoint),
                _began_us(workspace, run, entry))  # fmt: skip


def _began_us(workspace: Workspace, run: Path, entry: Entry) -> int:
    for loop in Loops(workspace).all():
        if loop.version == entry.version:
            return loop.started_us
    at = entry.registration.registered
    record = run / RUN_RECORD
    if record.is_file():
        at = json.loads(record.read_text("utf-8")).get("started") or at
    return round(datetime.fromisoformat(at).timestamp() * 1e6)
