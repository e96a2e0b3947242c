"""A version leaves the registry: a folder or an archive that is a whole bundle."""

from __future__ import annotations

import tarfile
from pathlib import Path

from deepfake_lightning.bundle.checksums import read_sums, verify
from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry.folders import copy_bundle
from deepfake_lightning.registry.signatures import (
    copy_signatures,
    signatures_beside,
    signatures_of,
    whole_signatures,
)
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.storage import atomic_folder, atomic_write

ARCHIVES = (".tar", ".tar.gz", ".tgz")
_OTHER_ARCHIVES = (".zip", ".bz2", ".xz", ".zst", ".7z", ".gz")


def export_version(registry: Registry, name: str, out: Path) -> str:
    """Copy a version, which is verified before; return its digest.

    Its signatures lie in a folder beside the bundle's, which are not of the bundle's files.

    Args:
        registry: of the workspace.
        name: of the version.
        out: the folder to be; or a file, ``.tar``, ``.tar.gz`` or ``.tgz``.

    Raises:
        UsageError: there is no such version, or ``out`` exists.
        BundleError, RegistryError: the version is damaged.
        StorageError: the machine refused; nothing is left behind.
    """
    bundle = registry.bundle(name)
    if out.exists():
        raise UsageError(
            f"{out} exists already", why="an export replaces nothing", next_step="name another"
        )
    if out.suffix in _OTHER_ARCHIVES and not out.name.endswith(ARCHIVES):
        raise UsageError(
            f"{out.name}: such archives are not written",
            next_step=f"name a folder, or a file that ends in {', '.join(ARCHIVES)}",
        )
    names = sorted([*read_sums(bundle.folder)[0], "SHA256SUMS"])
    signatures = signatures_of(registry.root, bundle.folder.name)
    if not out.name.endswith(ARCHIVES):
        copy_signatures(signatures, signatures_beside(out))  # first: the folder is the whole
        with atomic_folder(out) as aside:
            copy_bundle(bundle.folder, aside, names)
            verify(aside)
        return bundle.digest
    packing = "gz" if out.suffix in (".gz", ".tgz") else ""
    with (
        atomic_write(out) as file,
        tarfile.open(fileobj=file, mode=f"w:{packing}") as archive,  # type: ignore[call-overload]
    ):
        for each in names:
            archive.add(bundle.folder / each, f"{bundle.folder.name}/{each}", filter=_anonymous)
        beside = signatures_beside(bundle.folder).name
        for one in whole_signatures(signatures):
            archive.add(one.path, f"{beside}/{one.path.name}", filter=_anonymous)
    return bundle.digest


def _anonymous(one: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who owned a file here: it means nothing elsewhere, and is nobody's business."""
    one.uid = one.gid = 0
    one.uname = one.gname = ""
    return one
