"""What a server is told of a version: parameters, metrics and lineage, as flat names and texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from deepfake_lightning.registry.record import Entry
from deepfake_lightning.schemas.measured import Measured, MeasuredValue

PREFIX = "deepfake."
VERSION, DIGEST = f"{PREFIX}version", f"{PREFIX}digest"
SERVES = f"{PREFIX}serves"
MIRRORED = f"{PREFIX}mirrored"  # of a run: what it holds, once all of it is there
_LONGEST = 5000  # signs of a text; MLflow takes 6000 in a parameter, 8000 in a tag
_LONGEST_NAME = 250
_FOREIGN = re.compile(r"[^\w\-. /]", re.ASCII)


def params_of(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return the configuration of a version's training and what it was measured by, flat.

    Args:
        provenance: content of ``provenance.json``.
    """
    training = provenance.get("training") or {}
    kept = {name: training[name] for name in ("seed", "epochs", "device") if name in training}
    flat = {**_flat(provenance.get("config") or {}), **_flat({"training": kept})}
    return {name: text for name, text in flat.items() if text}


def metrics_of(measured: Measured | None) -> dict[str, float]:
    """Return what a version was measured to be: ``item/auroc``, ``item/auroc_low``, ``..._high``.

    Undefined values are left out: MLflow has no null.
    """
    if measured is None:
        return {}
    found: dict[str, float] = {
        f"{measured.split}/real": float(measured.real),
        f"{measured.split}/fake": float(measured.fake),
        f"{measured.split}/unscored": float(measured.unscored),
    }
    for level, values in measured.metrics.items():
        for name, one in values.items():
            found |= _with_interval(f"{level}/{name}", one)
    for threshold in measured.thresholds:
        place = f"threshold/{threshold.media_type or 'unknown'}"
        found[f"{place}/probability"] = threshold.probability
        found |= _with_interval(f"{place}/false_alarms", threshold.false_alarms)
        found |= _with_interval(f"{place}/found", threshold.found)
    return {_name(name): value for name, value in found.items()}


def tags_of(
    entry: Entry, provenance: Mapping[str, Any], measured: Measured | None
) -> dict[str, str]:
    """Return what a version is and where it comes from."""
    of = entry.registration
    training, data = provenance.get("training") or {}, provenance.get("data") or {}
    code = provenance.get("code") or {}
    said = {
        "version": of.version,
        "digest": entry.digest,
        "checkpoint": entry.checkpoint,
        "parent": of.parent,
        "registered": of.registered,
        "by": of.by,
        "reason": of.reason,
        "run": f"{of.source.experiment}/{of.source.run}" if of.source else None,
        "backbone": entry.backbone,
        "verdicts": ", ".join(entry.verdicts),
        "demo": "true" if entry.is_demo else None,
        "licences": ", ".join(entry.licences),
        "data_hash": data.get("content_hash"),
        "split_policy": data.get("split_policy"),
        "scored_hash": measured.content_hash if measured else None,
        "scored_split": measured.split if measured else None,
        "git_commit": code.get("commit"),
        "git_changed": "true" if code.get("changed") else None,
        "trained": training.get("started"),
    }
    return {f"{PREFIX}{name}": str(value)[:_LONGEST] for name, value in said.items() if value}


def _with_interval(name: str, one: MeasuredValue) -> dict[str, float]:
    values = {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return {key: value for key, value in values.items() if value is not None}


def _flat(content: Mapping[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in content.items():
        place = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{place}.")
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            found[_name(place)] = text[:_LONGEST]
    return found


def _name(text: str) -> str:
    return _FOREIGN.sub("_", text)[:_LONGEST_NAME]
