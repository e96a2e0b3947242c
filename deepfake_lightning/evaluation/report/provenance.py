"""What the report says of the data and of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deepfake_lightning.data.audit import KINDS
from deepfake_lightning.evaluation.report.section import Section
from deepfake_lightning.evaluation.subject import Subject

_DATA = {
    "origin": "where they are", "split": "split", "split_policy": "how splits were made",
    "content_hash": "content hash", "datasets": "data sets", "methods": "methods",
    "licences": "licences", "scored": "scored", "looks": "times this split was looked at",
}  # fmt: skip
_MODEL = {
    "kind": "what it is", "version": "version", "experiment": "experiment", "digest": "SHA-256",
    "checkpoint": "checkpoint's SHA-256", "backbone": "backbone", "trained": "trained",
    "trained_on": "trained on", "epochs": "epochs", "seed": "seed", "status": "training",
    "monitor": "chosen by", "best_score": "at its best", "created": "built",
    "runtime": "runtime", "device": "device", "precision": "precision", "packages": "packages",
    "training_data": "trained with",
}  # fmt: skip


def provenance_sections(subject: Subject) -> Iterator[Section]:
    """Yield the sections on the audit, the data and the model."""
    yield _audit(subject)
    notes = ("Splits are official: people may stand on both sides.",)
    official = subject.data.get("split_policy") == "official"
    yield Section("data", "Data", notes if official else (), ("", ""), _rows(subject.data, _DATA))
    yield Section("model", "Detector", (), ("", ""), _rows(subject.model, _MODEL))


def _audit(subject: Subject) -> Section:
    title = "Audit of the data"
    if subject.findings is None:
        return Section("audit", title, ("The data were not audited.",))
    if not subject.findings:
        return Section("audit", title, ("Leaks between splits and shortcuts were looked for, and"
                                        " none were found.",))  # fmt: skip
    rows = [
        [one.severity, KINDS.get(one.kind, one.kind), one.what, one.next_step]
        for one in subject.findings
    ]
    return Section("audit", title, (), ("", "what", "found", "what to do"), rows)


def _rows(known: Mapping[str, Any], names: Mapping[str, str]) -> list[list[str]]:
    return [
        [title, _text(known[name])]
        for name, title in names.items()
        if known.get(name) not in (None, "", {}, [])
    ]


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        known = {name: of for name, of in value.items() if of not in (None, "", {}, [])}
        return ", ".join(f"{name}: {_text(of)}" for name, of in known.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
