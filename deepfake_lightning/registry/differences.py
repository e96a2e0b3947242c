"""In what two versions differ: configuration, data, preprocessing, calibration, code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.load import CALIBRATION, PREPROCESS, PROVENANCE

_RUN = ("seed", "epochs", "status", "device", "best_score")


@dataclass(frozen=True)
class Difference:
    """One thing that two versions do not have in common.

    Attributes:
        section: ``configuration``, ``data``, ``preprocessing``, ``calibration``, ``training`` or
            ``packages``.
        name: of the thing, ``model.lr``.
        first, second: its values, None where there is none.
    """

    section: str
    name: str
    first: Any
    second: Any


def differences(first: Bundle, second: Bundle) -> list[Difference]:
    """Return everything in which two bundles differ, section by section.

    Weights always differ between two trainings and are not among it; whether one detector is
    better than another is not told by what it was made of, but by ``compare``.

    Raises:
        BundleError: a file has changed since the bundles were loaded.
    """
    found = []
    for name, one in _sections(first).items():
        other = _sections(second)[name]
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                found.append(Difference(name, key, one.get(key), other.get(key)))
    return found


def _sections(bundle: Bundle) -> dict[str, dict[str, Any]]:
    origin = bundle.read_json(PROVENANCE)
    training = origin.get("training") or {}
    return {
        "configuration": dict(_flat(origin.get("config") or {})),
        "data": dict(_flat(origin.get("data") or {})),
        "preprocessing": dict(_flat(bundle.read_json(PREPROCESS))),
        "calibration": dict(_flat(bundle.read_json(CALIBRATION))),
        "training": {name: training.get(name) for name in _RUN},
        "packages": {
            **(origin.get("built_with") or {}),
            "python": origin.get("python"),
            "code": (origin.get("code") or {}).get("commit"),
        },
    }


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings, ``data.splits.train`` and their values."""
    for name, value in record.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{key}.")
        else:
            yield key, value
