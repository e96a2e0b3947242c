"""Versions go to an object storage and come from one: the same bundle under the same name.

Beside their lists lie their signatures, ``signatures/<digest of the bundle>/<key>.sig``, which may
be added later. Whether they hold is asked when a version is to serve, and not here.
"""

from __future__ import annotations

import shutil
from typing import NamedTuple

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import SUMS, read_sums
from deepfake_lightning.errors import DataError, RegistryError, UsageError
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
from deepfake_lightning.registry.entries import read_registration
from deepfake_lightning.registry.registering import Wish, check_wish, register_bundle
from deepfake_lightning.registry.shared_signatures import pull_signatures, push_signatures
from deepfake_lightning.registry.signatures import (
    signatures_beside,
    signatures_of,
)
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.version_names import canonical, in_order, is_version

_FOLDER, _END = "versions", ".list"
_ARRIVING = ".pulled"  # below the registry's folder


class PulledVersion(NamedTuple):
    """A version that is here now.

    Attributes:
        version: its name.
        digest: of its bundle.
        fetched: how many of its files came now.
        was_here: whether it was registered here before.
    """

    version: str
    digest: str
    fetched: int
    was_here: bool = False


class TakenNameError(RegistryError):
    """A version that cannot come: its name stands, or stood, for another one here."""


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
    mine = signatures_of(registry.root, version)
    push_signatures(mine, place, bundle.digest, resend=resend)  # first: the list is the whole
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
        UsageError: it is not there.
        TakenNameError: another bundle is called so here, or it was deleted here.
        DataError, BundleError: what is there is damaged, or is of another version.
        StorageError: the storage or this machine is at fault; the next call goes on.
    """
    place, version = open_place(url), canonical(name)
    files = read_list(place, _mark(version), "version")
    if files.name != version:
        raise _another(place, version, files.name)
    sums = files.item(SUMS)
    digest = "" if sums is None else sums.sha256  # which is what a bundle's digest is
    here = registry.index().entries.get(version)
    if here is not None and here.digest == digest and registry.folder(version).is_dir():
        pull_signatures(place, digest, signatures_of(registry.root, version))
        return PulledVersion(version, digest, 0, was_here=True)
    if here is not None and here.digest != digest:
        raise TakenNameError(
            f"{version} at {place.url} is another bundle than {version} here",
            why=f"its digest is {digest[:16]}, not {here.digest[:16]}",
            next_step="two teams gave one number: register one of them under another",
        )
    wish = Wish(version, reason=f"pulled from {place.url}", by=by)
    try:
        check_wish(registry, wish)
    except UsageError as error:
        advice = "register it under another version there, and push that"
        raise TakenNameError(error.what, why=error.why, next_step=advice) from error
    arriving = registry.root / _ARRIVING / version
    folder = arriving / files.digest[:16]  # of this list: another one does not meet its files
    fetched = pull(place, files, folder, progress=progress)
    registration = read_registration(load_bundle(folder))
    if registration is None or registration.version != version:  # it would be stamped anew
        raise _another(place, version, registration.version if registration else "unregistered")
    pull_signatures(place, digest, signatures_beside(folder))
    entry = register_bundle(registry, folder, wish)
    shutil.rmtree(arriving, ignore_errors=True)
    return PulledVersion(entry.version, entry.digest, fetched)


def pull_all(
    registry: Registry,
    url: str,
    *,
    by: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> tuple[list[PulledVersion], dict[str, str]]:
    """Bring all versions that are there; those whose names are taken here are left.

    Returns:
        The versions that are here now; and version -> why it was left.

    Raises:
        UsageError: none is there.
        DataError, BundleError, StorageError: as :func:`pull_version`.
    """
    taken, left = [], {}
    for version in remote_versions(open_place(url)):
        try:
            taken.append(pull_version(registry, version, url, by=by, progress=progress))
        except TakenNameError as error:
            left[version] = error.what
    if not taken and not left:
        raise UsageError(f"there are no versions at {url}",
                         next_step=f"deepfake-lightning registry push --url {url}")  # fmt: skip
    return taken, left


def _another(place: Place, version: str, found: str) -> DataError:
    return DataError(
        f"{place.url}/{_mark(version)} is of another version: {found[:80]!r}",
        why="it was changed there; nothing was registered",
        next_step=f"push {version} again from where it is whole, or name another place",
    )


def _mark(version: str) -> str:
    return f"{_FOLDER}/{version}{_END}"
