"""From a version's folder to its line in the index."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from deepfake_lightning.bundle.load import EVALUATION, PROVENANCE, Bundle
from deepfake_lightning.errors import BundleError
from deepfake_lightning.registry.record import REGISTRATION, Change, Entry, Registration
from deepfake_lightning.schemas.calibration import KINDS
from deepfake_lightning.schemas.measured import Measured

Record = TypeVar("Record", bound=BaseModel)
_LISTED = ("auroc", "average_precision", "eer", "balanced_accuracy", "log_loss")


class _Data(BaseModel):
    licences: dict[str, int] | None = None


class _Provenance(BaseModel):
    """What the index takes from ``provenance.json``."""

    data: _Data | None = None


def read_registration(bundle: Bundle) -> Registration | None:
    """Return how a bundle was registered; None where it never was.

    Raises:
        BundleError: the record is damaged.
    """
    if not (bundle.folder / REGISTRATION).is_file():
        return None
    return _checked(Registration, bundle, REGISTRATION)


def read_measured(bundle: Bundle) -> Measured | None:
    """Return what a bundle was measured to be; None where it was not.

    Raises:
        BundleError: the record is damaged.
    """
    if not (bundle.folder / EVALUATION).is_file():
        return None
    return _checked(Measured, bundle, EVALUATION)


def entry_of(bundle: Bundle) -> Entry:
    """Return the line of the index of a registered version.

    Raises:
        BundleError: it is not registered, or is called otherwise than its folder.
    """
    registration = read_registration(bundle)
    name = bundle.folder.name
    if registration is None:
        raise BundleError(
            f"{bundle.folder} is a bundle that was never registered",
            next_step=f"move it elsewhere, then: deepfake-lightning registry register FOLDER "
            f"--version {name}",
        )
    if {registration.version, bundle.record.version} != {name}:
        raise BundleError(
            f"{bundle.folder} is {registration.version} by its own record",
            why="a version that is renamed would pass for another one",
            next_step=f"name the folder {registration.version} again",
        )
    measured = read_measured(bundle)
    data = _checked(_Provenance, bundle, PROVENANCE).data or _Data()
    metrics = {} if measured is None else {name: measured.item(name) for name in _LISTED}
    return Entry(
        registration=registration,
        digest=bundle.digest,
        checkpoint=bundle.record.checkpoint,
        backbone=bundle.record.backbone,
        is_demo=bundle.record.demo,
        bytes=_size(bundle.folder),
        verdicts=tuple(kind for kind in KINDS if bundle.calibration.of(kind) is not None),
        split=None if measured is None else measured.split,
        items=None if measured is None else measured.real + measured.fake,
        metrics=metrics,
        licences=tuple(data.licences or ()),
    )


def registered(entry: Entry) -> Change:
    """Return the line of the history that says that a version was registered."""
    of = entry.registration
    return Change(
        at=of.registered, event="register", version=of.version, digest=entry.digest, by=of.by,
        reason=of.reason, parent=of.parent,
    )  # fmt: skip


def _size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise BundleError(
            f"{folder} cannot be read: {error.strerror or error}", next_step="fix permissions there"
        ) from error


def _checked(kind: type[Record], bundle: Bundle, name: str) -> Record:
    try:
        return kind.model_validate(bundle.read_json(name))
    except ValidationError as error:
        raise BundleError(
            f"{bundle.folder / name} cannot be read: {str(error)[:200]}",
            next_step="copy the version again from where it was exported",
        ) from error
