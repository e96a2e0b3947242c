"""A workspace for one server: its own log, uploads and environments, and the real registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deepfake_lightning.storage import Workspace
from deepfake_lightning.temporary import temporary_folder

PREFIX = "deepfake-integration-"


@contextmanager
def throwaway_workspace(workspace: Workspace) -> Iterator[Workspace]:
    """Give a workspace in the system's temporary folder that is removed in the end.

    Its registry is a link to the real one, which a server only reads. What a killed process left is
    removed by the next one.

    Args:
        workspace: whose registry it has.

    Raises:
        StorageError: the machine refused.
    """
    with temporary_folder(PREFIX) as folder:
        (folder / "registry").symlink_to(workspace.registry.resolve(), target_is_directory=True)
        yield Workspace(folder)
