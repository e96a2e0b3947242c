"""Bundles read back: every file is checked before any is used. No torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from deepfake_lightning.bundle.checksums import changed, read_sums, verify
from deepfake_lightning.errors import BundleError
from deepfake_lightning.schemas import Calibration, Preprocess
from deepfake_lightning.schemas.bundle import BundleRecord

RECORD = "bundle.json"
PREPROCESS = "preprocess.json"
CALIBRATION = "calibration.json"
WEIGHTS = "model.safetensors"
ONNX = "model.onnx"
GOLDEN = "golden/golden.json"
REFERENCE = "reference.json"
REFERENCE_ARRAYS = "reference.safetensors"
PROVENANCE = "provenance.json"
CARD = "MODEL_CARD.md"
EVALUATION = "evaluation.json"  # of registered versions that were measured
_REQUIRED = (RECORD, PREPROCESS, CALIBRATION, WEIGHTS, ONNX, GOLDEN, REFERENCE, REFERENCE_ARRAYS,
             PROVENANCE, CARD)  # fmt: skip
Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have been checked.

    Attributes:
        folder: where it is.
        digest: SHA-256 over the hashes of all its files: its identity.
        record: what it is.
        preprocess: from media to the network's input.
        calibration: from an item's logit to a verdict.
    """

    folder: Path
    digest: str
    record: BundleRecord
    preprocess: Preprocess
    calibration: Calibration

    def read(self, name: str) -> bytes:
        """Return the bytes of one of its files, checked again: they are what was verified.

        Raises:
            BundleError: it has changed since, or is none of the bundle's.
        """
        return _read(self.folder, name, self.digest)

    def read_json(self, name: str) -> Any:
        """Return the content of one of its JSON files.

        Raises:
            BundleError: as :meth:`read`, or it is not JSON.
        """
        return _read_json(self.folder, name, self.digest)


def load_bundle(folder: Path) -> Bundle:
    """Verify a bundle and return it.

    Raises:
        BundleError: a file is changed, missing or foreign; or it is of a newer schema.
    """
    return _bundle(folder, verify(folder))


def read_records(folder: Path) -> Bundle:
    """Return a bundle by its records, which are checked; that all else is whole is not.

    For whoever lists many bundles, and opens none.

    Raises:
        BundleError: as :func:`load_bundle`, but for the files that are no records.
    """
    return _bundle(folder, read_sums(folder)[1])


def _bundle(folder: Path, digest: str) -> Bundle:
    for name in _REQUIRED:
        if not (folder / name).is_file():
            raise BundleError(
                f"{folder} is not a whole bundle: it has no {name}",
                next_step="build one: deepfake-lightning bundle build CHECKPOINT",
            )
    return Bundle(
        folder,
        digest,
        _record(BundleRecord, folder, RECORD, digest),
        _record(Preprocess, folder, PREPROCESS, digest),
        _record(Calibration, folder, CALIBRATION, digest),
    )


def _read(folder: Path, name: str, digest: str) -> bytes:
    sums, now = read_sums(folder)
    if name not in sums:
        raise BundleError(f"{name} is no file of the bundle {folder}", next_step="build it anew")
    if now != digest:
        raise BundleError(
            f"{folder} is not the bundle any more that was loaded",
            next_step="load it again",
        )
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise changed(folder / name) from error
    if hashlib.sha256(data).hexdigest() != sums[name]:
        raise changed(folder / name)
    return data


def _read_json(folder: Path, name: str, digest: str) -> Any:
    data = _read(folder, name, digest)
    try:
        return json.loads(data.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _foreign(folder / name, error) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _foreign(path: Path, error: Exception) -> BundleError:
    return BundleError(
        f"{path} is not of a bundle of this package: {str(error)[:300]}",
        next_step="build one: deepfake-lightning bundle build CHECKPOINT",
    )


def _record(kind: type[Record], folder: Path, name: str, digest: str) -> Record:
    content = _read_json(folder, name, digest)
    schema = content.get("schema") if isinstance(content, dict) else None
    newest = max(get_args(kind.model_fields["schema_version"].annotation))
    if isinstance(schema, int) and schema > newest:
        raise BundleError(
            f"{folder / name}: schema {schema} is newer than this version reads ({newest})",
            next_step="upgrade deepfake-lightning",
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise _foreign(folder / name, error) from error
