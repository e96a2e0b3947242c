"""Is every version what was registered? And the index anew, from what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.errors import DeepfakeLightningError, RegistryError
from deepfake_lightning.registry.aliases import deployed, read_environments
from deepfake_lightning.registry.entries import entry_of, registered
from deepfake_lightning.registry.folders import remove_leftovers, version_folders
from deepfake_lightning.registry.index import INDEX, REPAIR, Entries, Index, read_index, write_index
from deepfake_lightning.registry.record import Change, Entry
from deepfake_lightning.registry.registering import now, user
from deepfake_lightning.registry.state import current, forget_intents
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.version_names import in_order
from deepfake_lightning.storage import lock

Progress = Callable[[str, int, int], None]
_COPY_BACK = "copy it back from where it was exported"


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was registered.

    Attributes:
        version: which version.
        what: is wrong.
        next_step: what to do.
    """

    version: str
    what: str
    next_step: str


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        versions: how many were checked.
        faults: what is wrong, in the order of versions.
        repaired: what was put right, in sentences.
    """

    versions: int
    faults: tuple[Fault, ...]
    repaired: tuple[str, ...] = ()


def verify_registry(
    registry: Registry,
    names: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> Verification:
    """Check every file of versions, and that index, folders and environments agree.

    Args:
        registry: of the workspace.
        names: of versions; none: all.
        progress: told what is being done, how much of it is, and how much there is.

    Raises:
        RegistryError: the index is damaged.
        UsageError: there is no such version.
    """
    index = current(registry.root)
    wanted = [registry.get(name).version for name in names]
    seen = _seen(registry, wanted or version_folders(registry.models), progress)
    every = in_order(wanted or index.entries.keys() | seen.keys())
    faults = _faults(registry, index, seen, every, only=bool(wanted))
    if faults:  # what was deleted meanwhile is no damage
        left = current(registry.root).entries.keys() | version_folders(registry.models)
        gone = index.entries.keys() - left
        faults = tuple(one for one in faults if one.version not in gone)
    return Verification(len(every), faults)


def repair_registry(
    registry: Registry, progress: Progress = lambda what, done, total: None
) -> Verification:
    """List anew what is there: every folder that is a whole version, and nothing else.

    The history is kept, and told what was repaired. Folders are not changed: what is damaged
    stays for whoever can copy it back.

    Raises:
        RegistryError: the index is of a newer version of this package.
        StorageError: the machine refused, or another process held the registry.
    """
    repaired: list[str] = []
    with lock(registry.root / INDEX):
        index = _readable(registry.root, repaired)
        seen = _seen(registry, version_folders(registry.models), progress)
        listed, changes = dict(index.entries.plain), list(index.history)
        for version, now in seen.items():
            if isinstance(now, Fault) or _is_other(index, now):
                continue  # no repair may hide that
            if index.entries.plain.get(version) != now.to_dict():
                listed[version] = now.to_dict()
                is_new = index.last_change(version) is None
                again = _change(version, now.digest, "it was not listed")
                changes.append(registered(now) if is_new else again)
                repaired.append(f"{version} was there and is listed again")
        for version in in_order(listed.keys() - seen.keys()):
            if os.path.lexists(registry.folder(version)):
                continue  # a link, say: it is told, and not forgotten
            plain = index.entries.plain[version]
            changes.append(_change(version, plain.get("digest"), "its folder was gone"))
            repaired.append(f"{version} is not listed any more: its folder is gone")
            del listed[version]
        entries = Entries({version: listed[version] for version in in_order(listed)})
        index = Index(entries, tuple(changes))
        write_index(registry.root, index)
        forget_intents(registry.models)
        remove_leftovers(registry.models)
        every = in_order(entries.keys() | seen.keys())
        faults = _faults(registry, index, seen, every)
    return Verification(len(every), faults, tuple(repaired))


def _readable(root: Path, repaired: list[str]) -> Index:
    """Return the index with what killed processes left; what cannot be read is put aside."""
    try:
        read_index(root)
    except RegistryError as error:
        if error.next_step != REPAIR:  # of a newer version of this package
            raise
        aside = root / f"{INDEX}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        (root / INDEX).rename(aside)
        repaired.append(f"{INDEX} could not be read and is now {aside.name}; its history is in it")
    return current(root)


def _seen(
    registry: Registry, versions: Iterable[str], progress: Progress
) -> dict[str, Entry | Fault]:
    """Return version -> what its folder is, every file of it verified, or what is wrong."""
    there = in_order(version_folders(registry.models) & set(versions))
    found: dict[str, Entry | Fault] = {}
    for done, version in enumerate(there):
        progress(f"verifying {version}", done, len(there))
        try:
            found[version] = entry_of(load_bundle(registry.folder(version)))
        except DeepfakeLightningError as error:
            found[version] = Fault(version, error.what, error.next_step)
        except OSError as error:
            found[version] = Fault(version, str(error), "fix permissions there")
    return found


def _faults(
    registry: Registry,
    index: Index,
    seen: Mapping[str, Entry | Fault],
    every: Sequence[str],
    only: bool = False,
) -> tuple[Fault, ...]:
    found = [_fault(registry, version, index, seen.get(version)) for version in every]
    if not only:
        found += _not_there(registry, index)
    return tuple(one for one in found if one is not None)


def _fault(
    registry: Registry, version: str, index: Index, now: Entry | Fault | None
) -> Fault | None:
    if now is None and os.path.lexists(registry.folder(version)):
        return Fault(version, "is a link or a file, and no folder", "put the folder itself there")
    if now is None:
        return Fault(version, "its folder is gone", f"{_COPY_BACK}, or pass --repair true")
    if isinstance(now, Fault):
        return now
    last = index.last_change(version)
    if version not in index.entries and last is not None and last.event == "delete":
        said = f"was deleted on {last.at[:10]} and is there again"
        return Fault(version, said, "move it elsewhere; it can be registered under a new number")
    if _is_other(index, now):
        return Fault(version, "is another bundle than the one that was registered", _COPY_BACK)
    if version not in index.entries:
        return Fault(version, "is not listed", "pass --repair true, or move it elsewhere")
    if index.entries.plain[version] != now.to_dict():
        return Fault(version, "is not what the index says of it", "pass --repair true")
    return None


def _is_other(index: Index, now: Entry) -> bool:
    """Whether another bundle is, or ever was, known by that name, or the name was given up."""
    listed = index.entries.plain.get(now.version)
    if listed is not None:
        return bool(listed.get("digest") != now.digest)
    last = index.last_change(now.version)
    return last is not None and (last.event == "delete" or last.digest != now.digest)


def _not_there(registry: Registry, index: Index) -> list[Fault]:
    where = deployed(read_environments(registry.workspace.environments))
    return [
        Fault(version, f"is deployed in {place} and not registered", _COPY_BACK)
        for version, place in where.items()
        if version not in index.entries
    ]


def _change(version: str, digest: str | None, reason: str) -> Change:
    return Change(
        at=now(), event="repair", version=version, digest=digest, by=user(), reason=reason
    )
