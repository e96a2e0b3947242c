"""Versions go to an object storage and come from one: the same bundle under the same name.

Beside their lists lie their signatures, ``signatures/<digest of the bundle>/<key>.sig``, which may
be added later. Whether they hold is asked when a version is to serve, and not here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from deepfake_lightning.bundle.checksums import SUMS, read_sums
from deepfake_lightning.errors import RegistryError, UsageError
from deepfake_lightning.object_storage import (
    FileList,
    Item,
    Place,
    Pushed,
    open_place,
    pull,
    push,
    read_list,
)
from deepfake_lightning.object_storage.file_list import item_of
from deepfake_lightning.object_storage.transfer import Progress, retried
from deepfake_lightning.registry.registering import Wish, register_bundle
from deepfake_lightning.registry.signatures import (
    signature_files,
    signatures_beside,
    signatures_of,
)
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.version_names import canonical, in_order, is_version
from deepfake_lightning.storage import atomic_write

_FOLDER, _END = "versions", ".list"
_ARRIVING = ".pulled"  # below the registry's folder
_SIGNATURE = re.compile(r"[0-9a-f]{1,64}\.sig")
_MOST_SIGNATURES, _MOST_BYTES = 100, 1 << 20  # of a version; of each


class PulledVersion(NamedTuple):
    """A version that is here now.

    Attributes:
        version: its name.
        digest: of its bundle.
        fetched: how many of its files came; 0 where it was here before.
    """

    version: str
    digest: str
    fetched: int


def push_version(
    registry: Registry,
    name: str,
    url: str,
    *,
    resend: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Pushed:
    """Send a version, which is verified before, to an object storage.

    Args:
        registry: of the workspace.
        name: of the version.
        url: of a registry there, a folder for versions alone: ``s3://bucket/registry``.
        resend: send all files, also those that are there.
        progress: told what is done, how many bytes of it, and how many there are.

    Raises:
        UsageError: there is no such version here, or another bundle is called so there.
        BundleError, RegistryError: it is damaged.
        StorageError: the storage is at fault; nothing new is seen there.
    """
    place = open_place(url)
    bundle = registry.bundle(name)
    version, folder = bundle.folder.name, bundle.folder
    sums, _ = read_sums(folder)
    items = [Item(path, (folder / path).stat().st_size, sha256) for path, sha256 in sums.items()]
    files = FileList.of("version", version, [*items, item_of(folder / SUMS, SUMS)])
    _push_signatures(registry, version, bundle.digest, place)  # first: the list is the whole
    return push(place, _mark(version), files, lambda one: folder / one.path, resend=resend,
                progress=progress)  # fmt: skip


def remote_versions(place: Place) -> list[str]:
    """Return the versions that are at an address, in SemVer's order.

    Raises:
        StorageError: the storage is at fault.
    """
    try:
        with place.told("listed"):
            found = retried(lambda: place.system.ls(place.path(_FOLDER), detail=False))
    except UsageError as error:
        if isinstance(error.__cause__, FileNotFoundError):  # nothing was ever pushed
            return []
        raise
    names = [path.rpartition("/")[2].removesuffix(_END) for path in found if path.endswith(_END)]
    return in_order([one for one in names if is_version(one) and canonical(one) == one])


def pull_version(
    registry: Registry,
    name: str,
    url: str,
    *,
    by: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> PulledVersion:
    """Bring a version from an object storage and register it under its name.

    Args:
        registry: of the workspace.
        name: of the version, ``v1.0.0``.
        url: where it was pushed to.
        by: who takes it over; None: the user of this process.
        progress: told what is done, how many bytes of it, and how many there are.

    Raises:
        UsageError: it is not there, or was deleted here.
        RegistryError: another bundle is called so here.
        DataError, BundleError: what is there is damaged.
        StorageError: the storage or this machine is at fault; the next call goes on.
    """
    place, version = open_place(url), canonical(name)
    files = read_list(place, _mark(version), "version")
    sums = files.item(SUMS)
    digest = "" if sums is None else sums.sha256  # which is what a bundle's digest is
    here = registry.index().entries.get(version)
    if here is not None and here.digest == digest and registry.folder(version).is_dir():
        _pull_signatures(place, digest, signatures_of(registry.root, version))
        return PulledVersion(version, digest, 0)
    if here is not None and here.digest != digest:
        raise RegistryError(
            f"{version} at {place.url} is another bundle than {version} here",
            why=f"its digest is {digest[:16]}, not {here.digest[:16]}",
            next_step="two teams gave one number: register one of them under another",
        )
    folder = registry.root / _ARRIVING / version
    signatures = signatures_beside(folder)
    fetched = pull(place, files, folder, progress=progress)
    try:
        _pull_signatures(place, digest, signatures)
        entry = register_bundle(registry, folder, Wish(version, reason=f"pulled from {place.url}",
                                                       by=by))  # fmt: skip
    finally:
        for one in (folder, signatures):
            shutil.rmtree(one, ignore_errors=True)
    return PulledVersion(entry.version, entry.digest, fetched)


def chosen(names: Sequence[str], there: Sequence[str], url: str) -> list[str]:
    """Return the versions to pull: those named, or all that are there.

    Raises:
        UsageError: none is there.
    """
    if not names and not there:
        raise UsageError(f"there are no versions at {url}",
                         next_step=f"deepfake-lightning registry push --url {url}")  # fmt: skip
    return [canonical(one) for one in names] or list(there)


def _mark(version: str) -> str:
    return f"{_FOLDER}/{version}{_END}"


def _push_signatures(registry: Registry, version: str, digest: str, place: Place) -> None:
    for path in signature_files(signatures_of(registry.root, version)):
        target, data = place.path(f"signatures/{digest}/{path.name}"), path.read_bytes()
        with place.told("written to"):
            retried(partial(place.system.pipe_file, target, data))


def _pull_signatures(place: Place, digest: str, folder: Path) -> None:
    """Bring the signatures of a bundle; of one that has none, nothing."""
    there = place.path(f"signatures/{digest}")
    with place.told("read"):
        try:
            found = retried(lambda: place.system.ls(there, detail=False))
        except FileNotFoundError:
            return
        for path in found[:_MOST_SIGNATURES]:
            name = path.rpartition("/")[2]
            if _SIGNATURE.fullmatch(name):
                data = retried(partial(place.system.cat_file, path, start=0, end=_MOST_BYTES))
                with atomic_write(folder / name) as file:
                    file.write(data)
