"""A bundle becomes a version: whole or not at all, and never changed again."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deepfake_lightning.bundle import Bundle, load_bundle
from deepfake_lightning.bundle.checksums import read_sums, write_sums
from deepfake_lightning.bundle.load import CARD, EVALUATION, RECORD, read_records
from deepfake_lightning.errors import BundleError, StorageError, UsageError
from deepfake_lightning.registry.entries import entry_of, read_registration, registered
from deepfake_lightning.registry.folders import (
    copy_bundle,
    remove_leftovers,
    staging,
    version_folders,
)
from deepfake_lightning.registry.index import INDEX, Index, read_index, write_index
from deepfake_lightning.registry.record import (
    REGISTRATION,
    Change,
    Entry,
    Registration,
    Source,
)
from deepfake_lightning.registry.signatures import (
    copy_signatures,
    signatures_beside,
    signatures_of,
)
from deepfake_lightning.registry.state import forget_intents, settled
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.measured import Measured
from deepfake_lightning.schemas.version_names import Part, canonical, next_version
from deepfake_lightning.storage import atomic_write, lock, sync_folder, write_json

log = logging.getLogger(__name__)
_MEASURED = "\n## Measured\n"


@dataclass(frozen=True)
class Measurement:
    """What a bundle was measured to be, as it goes into a version.

    Attributes:
        record: the figures.
        words: the same for the model card, Markdown.
    """

    record: Measured
    words: str


@dataclass(frozen=True)
class Wish:
    """How a bundle is to be registered.

    Attributes:
        version: its name; None: the next free one.
        part: which number of the highest version goes up, where no name is given.
        reason: why it is registered.
        by: who registers it; None: the user of this process.
        parent: the version that it was made from or is to follow.
        source: the training that it is of.
    """

    version: str | None = None
    part: Part = "minor"
    reason: str = ""
    by: str | None = None
    parent: str | None = None
    source: Source | None = None


def check_wish(registry: Registry, wish: Wish) -> None:
    """Refuse a wish that could not be fulfilled, before hours are spent on it.

    Raises:
        UsageError: the version is none, or is or was there; the parent never was.
        RegistryError: the registry is damaged.
    """
    index = registry.index()
    _check_parent(index, wish.parent)
    if wish.version is not None:
        _check_free(registry, index, canonical(wish.version))


def register_bundle(registry: Registry, folder: Path, wish: Wish | None = None) -> Entry:
    """Register a copy of a bundle.

    One that was exported from another registry keeps its name, its bytes and the signatures beside
    it, unless it is to be called otherwise: whether these hold is asked when it is to serve.

    Raises:
        BundleError: it is damaged, changed or foreign.
        UsageError: as :func:`check_wish`.
        StorageError: the machine refused; nothing was registered.
    """
    wish = wish or Wish()
    bundle = load_bundle(folder)
    before = read_registration(bundle)
    if before is not None:
        wish = _of_exported(registry, bundle, before, wish)
    check_wish(registry, wish)
    names = [*read_sums(folder)[0], "SHA256SUMS"]
    with staging(registry.models) as stage:
        copy = stage / "bundle"
        copy_bundle(folder, copy, names)
        same = before is not None and before.version == canonical(wish.version or "")
        if same:  # first: a version without them would have to be signed anew
            version = canonical(wish.version or "")
            copy_signatures(signatures_beside(folder), signatures_of(registry.root, version))
        return commit(registry, load_bundle(copy), wish, restamp=not same)  # else it is imported


def _of_exported(registry: Registry, bundle: Bundle, before: Registration, wish: Wish) -> Wish:
    """Return a wish with what the bundle's earlier registration says, where it asks for nothing
    else.
    """
    here = registry.index().entries.get(before.version)
    if wish.version is None and here is not None and here.digest == bundle.digest:
        raise UsageError(
            f"{bundle.folder} is registered already, as {before.version}",
            next_step="name another version with --version to have it under two names",
        )
    version = wish.version or before.version
    return replace(wish, version=version, source=wish.source or before.source)


def commit(
    registry: Registry,
    bundle: Bundle,
    wish: Wish,
    measurement: Measurement | None = None,
    *,
    restamp: bool = True,
) -> Entry:
    """Move a verified bundle from its staging folder to its place among the versions.

    The rename is the moment at which it is registered: whoever is killed before it leaves nothing,
    and whoever is killed after it a version that the index takes up when it is next read.

    Args:
        registry: where it goes.
        bundle: in a folder of :func:`~deepfake_lightning.registry.folders.staging`.
        wish: what it is to be called, and why.
        measurement: what it was measured to be.
        restamp: give it the version's name and record; else it has them already.

    Raises:
        UsageError: as :func:`check_wish`.
        StorageError: the machine refused; nothing was registered.
    """
    with locked(registry) as index:
        _check_parent(index, wish.parent)
        version = canonical(wish.version or free_version(registry, index, wish.part))
        _check_free(registry, index, version)
        if restamp:
            _stamp(bundle, version, wish, measurement)
        entry = _placed(registry, bundle, version)
        change = registered(entry) if restamp else _imported(entry, wish)
        note_done(registry, index.with_entry(entry, change), f"{version} is registered")
    return entry


def _placed(registry: Registry, bundle: Bundle, version: str) -> Entry:
    try:
        named = bundle.folder.rename(bundle.folder.with_name(version))
        for folder in (named / "golden", named):
            sync_folder(folder)
        entry = entry_of(read_records(named))  # verified by whoever gave it, or hashed just now
        named.rename(registry.folder(version))
    except OSError as error:
        raise StorageError(
            f"{registry.folder(version)} could not be made: {error.strerror or error}",
            why="nothing was registered",
            next_step="free space or fix permissions there, then run the command again",
        ) from error
    with suppress(OSError):  # it is there, though a power cut may take it back
        sync_folder(registry.models)
    return entry


def note_done(registry: Registry, index: Index, what: str) -> None:
    """Write the index after what it lists has come to pass, which nothing takes back.

    Where that fails, or is interrupted, the next reader puts the index right.

    Args:
        registry: of the workspace, locked.
        index: as it has to be.
        what: has come to pass.
    """
    try:
        write_index(registry.root, index)
    except (StorageError, KeyboardInterrupt) as error:
        fault = error.what if isinstance(error, StorageError) else "interrupted"
        log.warning("%s; the index says so from the next change on (%s)", what, fault)
    else:
        forget_intents(registry.models)


def _imported(entry: Entry, wish: Wish) -> Change:
    """Return the line of the history of a version that comes from another registry."""
    first = entry.registration
    said = f"{wish.reason}; " if wish.reason else ""
    return registered(entry).model_copy(update={
        "at": now(), "by": wish.by or user(),
        "reason": f"{said}from elsewhere, registered there by {first.by} on {first.registered[:10]}"
        + (f": {first.reason}" if first.reason else ""),
    })  # fmt: skip


def free_version(registry: Registry, index: Index, part: Part = "minor") -> str:
    """Return the next version that is none, never was, and whose folder nothing is in the way of.

    Args:
        registry: of the workspace.
        index: of it.
        part: which number goes up.
    """
    return next_version(index.known() | version_folders(registry.models), part)


@contextmanager
def locked(registry: Registry) -> Iterator[Index]:
    """Hold the registry, with what killed processes left put right, and give its index.

    Raises:
        StorageError: another process held it for a minute.
        RegistryError: the index is damaged.
    """
    with lock(registry.root / INDEX):
        before = read_index(registry.root)
        index = settled(before, registry.models)
        if index is not before:
            write_index(registry.root, index)
        forget_intents(registry.models)
        remove_leftovers(registry.models)
        yield index


def _stamp(bundle: Bundle, version: str, wish: Wish, measurement: Measurement | None) -> None:
    """Write what is known only now: what it is called, who registered it, and how good it is."""
    folder, record = bundle.folder, bundle.record.model_copy(update={"version": version})
    registration = Registration(
        version=version,
        registered=now(),
        by=wish.by or user(),
        reason=wish.reason,
        parent=wish.parent and canonical(wish.parent),
        source=wish.source,
    )
    try:
        text = bundle.read(CARD).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{CARD} of the bundle is no text", next_step="build it anew") from error
    _, _, rest = text.partition("\n")
    text = f"# {version}: a deepfake detector\n{rest}"
    if measurement is not None:
        text = f"{text.partition(_MEASURED)[0]}{_MEASURED}\n{measurement.words}\n"
        write_json(folder / EVALUATION, measurement.record.to_dict())
    with atomic_write(folder / CARD, "w") as file:
        file.write(text)
    write_json(folder / RECORD, record.to_dict())
    write_json(folder / REGISTRATION, registration.to_dict())
    write_sums(folder)


def now() -> str:
    """Return the time as records have it: UTC, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def user() -> str:
    """Return the name of whoever runs this process, ``unknown`` where the machine has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return "unknown"


def _check_parent(index: Index, parent: str | None) -> None:
    if parent is not None and canonical(parent) not in index.known():
        raise UsageError(
            f"the parent {parent} was never registered",
            next_step="name a version of `deepfake-lightning registry list`, or leave it out",
        )


def _check_free(registry: Registry, index: Index, version: str) -> None:
    last = index.last_change(version)
    hint = f"pass --version {free_version(registry, index)}"
    if version in index.entries:
        raise UsageError(
            f"{version} is registered already (on "
            f"{index.entries[version].registration.registered[:10]})",
            why="a version is never changed: what was measured and deployed as it stays so",
            next_step=hint,
        )
    if last is not None:
        raise UsageError(
            f"{version} was deleted on {last.at[:10]} by {last.by}",
            why="a number is not given twice: reports and logs would mean two detectors by it",
            next_step=hint,
        )
    if registry.folder(version).exists():
        raise UsageError(
            f"{registry.folder(version)} is there already, and no version that could be read",
            next_step=f"move it elsewhere, or {hint}",
        )
