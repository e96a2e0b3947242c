"""A calibration beside its checkpoint: a record that names the checkpoint it is of. No torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake_lightning.bundle.reliability import BeforeAfter
from deepfake_lightning.errors import CheckpointError
from deepfake_lightning.schemas.calibration import Calibration, CalibrationPolicy, MediaType
from deepfake_lightning.storage import file_hash, write_json

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CalibrationRecord(BaseModel):
    """A calibration and how it came to be.

    Attributes:
        schema_version: version of this record (``schema`` in files).
        checkpoint: SHA-256 of the file that was calibrated.
        created: UTC, RFC 3339.
        policy: what was wanted.
        data: content hash of the rows of the ``calib`` split; None where there was none.
        split_policy: how the splits were made; ``official`` ones may share people.
        calibration: what was fitted.
        why_not: of the kinds of media that are not calibrated, why not.
        in_sample: before and after, of those that are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    checkpoint: Sha256
    created: str
    policy: CalibrationPolicy
    data: Sha256 | None
    split_policy: str
    calibration: Calibration
    why_not: dict[MediaType, str] = {}
    in_sample: dict[MediaType, BeforeAfter] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)


def calibration_path(checkpoint: Path) -> Path:
    """Return where the calibration of a checkpoint lies: ``best.calibration.json``."""
    return checkpoint.with_name(f"{checkpoint.stem}.calibration.json")


def write_record(checkpoint: Path, record: CalibrationRecord) -> Path:
    """Write a record beside its checkpoint, whole or not at all, and return where.

    Raises:
        StorageError: the disk refused.
    """
    path, content = calibration_path(checkpoint), record.to_dict()
    write_json(path, {**content, "sha256": _digest(content)})
    return path


def read_record(checkpoint: Path, sha256: str | None = None) -> CalibrationRecord | None:
    """Return the record beside a checkpoint; None where there is none.

    Args:
        checkpoint: its file.
        sha256: of the checkpoint, where it is known already.

    Raises:
        CheckpointError: it is damaged, was changed by hand, is newer than this version, or is of
            another checkpoint.
    """
    path = calibration_path(checkpoint)
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, checkpoint, f"cannot be read: {str(error)[:200]}") from error
    if not isinstance(content, dict):
        raise _unusable(path, checkpoint, "is no calibration")
    schema = content.get("schema")
    if isinstance(schema, int) and schema > 1:
        raise CheckpointError(
            f"{path}: schema {schema} is newer than this version reads (1)",
            next_step="upgrade deepfake-lightning",
        )
    if content.pop("sha256", None) != _digest(content):
        raise _unusable(path, checkpoint, "is damaged, or has been changed since it was written")
    try:
        record = CalibrationRecord.model_validate(content)
    except ValidationError as error:
        raise _unusable(path, checkpoint, f"cannot be read: {str(error)[:200]}") from error
    if record.checkpoint != (sha256 or file_hash(checkpoint)):
        raise _unusable(path, checkpoint, f"is of another checkpoint than {checkpoint} is now")
    return record


def read_calibration(checkpoint: Path, sha256: str | None = None) -> Calibration | None:
    """Return the calibration beside a checkpoint; arguments and errors as :func:`read_record`."""
    record = read_record(checkpoint, sha256)
    return None if record is None else record.calibration


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _unusable(path: Path, checkpoint: Path, fault: str) -> CheckpointError:
    return CheckpointError(
        f"{path} {fault}",
        why="its thresholds would promise what they do not keep",
        next_step=f"deepfake-lightning calibrate {checkpoint} --overwrite true, or remove the file",
    )
