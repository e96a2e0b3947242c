"""The registry of a workspace: versions by name."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from deepfake_lightning.bundle import Bundle, load_bundle
from deepfake_lightning.errors import RegistryError, UsageError
from deepfake_lightning.registry.aliases import read_environments, version_serving
from deepfake_lightning.registry.folders import version_folders
from deepfake_lightning.registry.index import Index
from deepfake_lightning.registry.record import Entry
from deepfake_lightning.registry.state import current, models_of
from deepfake_lightning.schemas.version_names import (
    Part,
    canonical,
    in_order,
    is_version,
    next_version,
    parse_version,
)
from deepfake_lightning.storage import Workspace

LATEST = "latest"


class Registry:
    """Reads ``mlops/registry``; a workspace that has none has no versions.

    Args:
        workspace: whose registry it is.

    Attributes:
        root: its folder.
        models: the folder of the versions.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.root = workspace.registry
        self.models = models_of(self.root)

    def index(self) -> Index:
        """Return what there is and what was done.

        Raises:
            RegistryError: ``metadata.json`` is damaged.
        """
        return current(self.root)

    def entries(self, most: int | None = None) -> list[Entry]:
        """Return the versions in SemVer's order, the lowest first.

        Args:
            most: how many, the highest of them; None: all.

        Raises:
            RegistryError: ``metadata.json`` is damaged.
        """
        found = self.index().entries
        names = in_order(found)
        return [found[name] for name in (names if most is None else names[-most:])]

    def __len__(self) -> int:
        return len(self.index().entries)

    def next(self, part: Part = "minor") -> str:
        """Return the next free version.

        Raises:
            RegistryError: ``metadata.json`` is damaged.
        """
        return next_version(self.index().known() | version_folders(self.models), part)

    def is_name(self, name: str) -> bool:
        """Return whether a name is a version's, an environment's or ``latest``: whether it can
        stand for something here.
        """
        stands = is_version(name) or name == LATEST
        return stands or name in read_environments(self.workspace.environments)

    def find(self, name: str) -> Entry | None:
        """Return a version as :meth:`get` does, None where no version is called so.

        Raises:
            UsageError: an environment in which no version, or several, answer.
            RegistryError: ``metadata.json`` is damaged.
        """
        if not self.is_name(name):
            return None
        index = self.index()
        return index.entries.get(self._version(name, index))

    def run_of(self, entry: Entry) -> Path | None:
        """Return where the folder of a version's training is, or was; None where it never was in
        this workspace.
        """
        source = entry.registration.source
        return None if source is None else self.workspace.runs / source.experiment / source.run

    def get(self, name: str) -> Entry:
        """Return a version by its name, by the environment that it serves, or as ``latest``.

        ``latest`` is the highest version that is no pre-release.

        Raises:
            UsageError: there is none of that name.
            RegistryError: ``metadata.json`` is damaged.
        """
        index = self.index()
        version = self._version(name, index)
        if version in index.entries:
            return index.entries[version]
        raise UsageError(
            f"{version} is not registered{_was(index, version)}",
            why=f"versions in {self.models}: {_some(index) or 'none'}",
            next_step=_nearest(index, version)
            or "deepfake-lightning registry register --ckpt_path CHECKPOINT",
        )

    def folder(self, version: str) -> Path:
        """Return where a version lies."""
        return self.models / version

    def bundle(self, name: str) -> Bundle:
        """Return a version's bundle, verified: it is what was registered.

        Raises:
            UsageError: there is no such version.
            RegistryError: its folder is gone, or holds another bundle.
            BundleError: a file is changed, missing or foreign.
        """
        entry = self.get(name)
        folder = self.folder(entry.version)
        if not folder.is_dir():
            raise RegistryError(
                f"{folder} is gone",
                why=f"{entry.version} was registered there",
                next_step="copy it back from where it was exported, or: deepfake-lightning "
                "registry verify --repair true",
            )
        if folder.is_symlink():
            raise RegistryError(
                f"{folder} is a link",
                why="a version is a folder of its own, which nobody changes from elsewhere",
                next_step="put the folder itself there",
            )
        bundle = load_bundle(folder)
        if bundle.digest != entry.digest:
            raise RegistryError(
                f"{folder} is not the bundle that was registered as {entry.version}",
                why=f"its digest is {bundle.digest[:16]}, not {entry.digest[:16]}",
                next_step="copy it back from where it was exported",
            )
        return bundle

    def _version(self, name: str, index: Index) -> str:
        if is_version(name):
            return canonical(name)
        environments = read_environments(self.workspace.environments)
        if name in environments:
            return version_serving(name, environments[name])
        if name == LATEST and index.entries:
            released = [one for one in index.entries if not parse_version(one).prerelease]
            return in_order(released or index.entries)[-1]
        if name == LATEST:
            raise UsageError(
                f"there is no {name} version: nothing is registered in {self.models}",
                next_step="deepfake-lightning registry register --ckpt_path CHECKPOINT",
            )
        return canonical(name)  # which says what is wrong with it


def _was(index: Index, version: str) -> str:
    last = index.last_change(version)
    if last is None or last.event != "delete":
        return ""
    return f": it was deleted on {last.at[:10]} by {last.by} ({last.reason or 'no reason given'})"


def _some(index: Index) -> str:
    names = in_order(index.entries)
    return ", ".join(names[-5:]) + (f" and {len(names) - 5:,} before" if len(names) > 5 else "")


def _nearest(index: Index, version: str) -> str:
    near = get_close_matches(version, index.entries, n=1)
    return f"is {near[0]} meant?" if near else ""
