"""What a registered version is, as its files and its training say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.load import PROVENANCE
from deepfake_lightning.deployment.gate.evidence import Facts, Fault, fault_of
from deepfake_lightning.errors import DeepfakeLightningError, UsageError
from deepfake_lightning.registry import Entry, Registry
from deepfake_lightning.schemas.calibration import KINDS
from deepfake_lightning.storage import RUN_RECORD

if TYPE_CHECKING:
    from deepfake_lightning.data.audit import Finding


def facts_of(registry: Registry, version: str) -> Facts:
    """Return what is known of a version; what is wrong with it is part of that.

    Raises:
        RegistryError: the registry itself is damaged.
    """
    try:
        entry = registry.get(version)
    except UsageError as error:
        return Facts(version, fault=Fault.of(error))
    fault, findings, trained = None, None, None
    allowed: tuple[str, ...] = ()
    try:
        bundle = registry.bundle(version)
        trained = _trained(bundle)
        findings, allowed = _audit(registry, entry, trained)
    except DeepfakeLightningError as error:
        fault = fault_of(error)
    return Facts(
        version, entry.digest, fault, entry.is_demo, round(entry.bytes / 1e6, 2),
        tuple(kind for kind in KINDS if kind in entry.verdicts), entry.licences, findings, allowed,
        trained,
    )  # fmt: skip


def _trained(bundle: Bundle) -> str | None:
    """Return the content hash of the data of its training; None: not known."""
    try:
        return (bundle.read_json(PROVENANCE).get("data") or {}).get("content_hash")
    except (OSError, ValueError, TypeError, AttributeError):  # gone, or edited by hand
        return None


def _audit(
    registry: Registry, entry: Entry, trained: str | None
) -> tuple[tuple[Finding, ...] | None, tuple[str, ...]]:
    """Return what the audit before its training found, and what that was let off; None: not known.

    The training's folder has it, if it is the folder of these very data.
    """
    run = registry.run_of(entry)
    try:
        record: dict[str, Any] = json.loads((run / RUN_RECORD).read_text("utf-8")) if run else {}
        audit, data = record.get("audit"), record.get("data") or {}
        if not audit or data.get("content_hash") != trained:
            return None, ()
        from deepfake_lightning.data.audit import Finding  # slow

        return tuple(Finding(**one) for one in audit["findings"]), tuple(audit["allowed"])
    except (OSError, ValueError, TypeError, KeyError):  # gone, or edited by hand
        return None, ()
