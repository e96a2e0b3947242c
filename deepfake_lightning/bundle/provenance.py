"""Where a bundle comes from: configuration, data and their licences, code, machine."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from deepfake_lightning.bundle.calibration_file import CalibrationRecord
from deepfake_lightning.schemas import LABELS, Manifest
from deepfake_lightning.storage import RUN_CONFIG, RUN_RECORD

_PACKAGES = ("deepfake-lightning", "torch", "timm", "lightning", "onnx", "onnxruntime", "numpy",
             "opencv-python-headless")  # fmt: skip
UNKNOWN_LICENCE = "not stated"


def provenance(
    run: Path,
    manifest: Manifest,
    checkpoint: str,
    calibrated: CalibrationRecord,
    calibrated_by: str,
) -> dict[str, Any]:
    """Return the content of ``provenance.json``.

    Args:
        run: the training's folder.
        manifest: the data.
        checkpoint: its SHA-256.
        calibrated: how its calibration came to be, or why there is none.
        calibrated_by: the command that fitted it.
    """
    path = run / RUN_RECORD  # an interrupted training has none
    record: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    kept = ("experiment", "version", "status", "stop_reason", "started", "seconds", "epochs",
            "seed", "device", "packages", "monitor", "best_score")  # fmt: skip
    config = _config(run)
    asked = ((config or {}).get("data") or {}).get("blending")
    blending = (record.get("data") or {}).get("blending") or asked
    return {
        "schema": 1,
        "checkpoint": checkpoint,
        "training": {name: record[name] for name in kept if name in record} or None,
        "config": config,
        "data": data_provenance(manifest, blending),
        # What was fitted is in calibration.json.
        "calibration": {
            "by": calibrated_by,
            **{
                name: found
                for name, found in calibrated.to_dict().items()
                if name not in ("schema", "checkpoint", "calibration")
            },
        },
        "code": _revision(),
        "built_with": {name: found for name in _PACKAGES if (found := _installed(name))},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def data_provenance(
    manifest: Manifest, blending: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what is known of the training data: counts, data sets, methods, licences.

    Args:
        manifest: the data; ``counts`` are what it holds.
        blending: where fakes were made of real faces, how many, with ``ratio`` of the data's own:
            at 0 these were not trained on, and data sets, methods and licences are without them.
    """
    rows = manifest.rows
    trained = rows[(rows["split"] == "train").to_numpy(bool) & manifest.usable()]
    if blending is not None and not blending.get("ratio"):
        trained = trained[(trained["label"] == LABELS["real"]).fillna(False)]
    return {
        "content_hash": manifest.content_hash(),
        "split_policy": manifest.policy,
        "counts": manifest.counts(),
        "blending": None if blending is None else dict(blending),
        "datasets": _counts(trained["dataset"]),
        "methods": _counts(trained["method"].dropna()),
        "licences": _counts(trained["licence"].fillna(UNKNOWN_LICENCE)),
        "extraction": manifest.extraction and manifest.extraction.model_dump(mode="json"),
    }


def _config(run: Path) -> Any:
    """Return the training's configuration, without where things lie on its machine."""
    path = run / RUN_CONFIG
    if not path.is_file():
        return None
    config = yaml.safe_load(path.read_text("utf-8"))
    for name in ("workspace", "ckpt_path", "config"):
        config.pop(name, None)
    if (data := config.get("data")) and data.get("root"):
        data["root"] = Path(data["root"]).name
    return config


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.value_counts().sort_index().items()}


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _revision() -> dict[str, Any] | None:
    """Return the commit of the package's source, None where it was installed without."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10,
                check=True,
            ).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changes)}
