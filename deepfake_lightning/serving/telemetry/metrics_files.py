"""Files in which the processes of a server add up their metrics.

``prometheus_client`` looks for their folder when it is imported. So this module does not import it,
and :func:`prepare_multiprocess` runs before any process of the server does.
"""

from __future__ import annotations

import os
from pathlib import Path

from deepfake_lightning.errors import StorageError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare_multiprocess(folder: Path) -> None:
    """Empty a folder, and name it to the processes that this one starts.

    Args:
        folder: this server's alone; counts of another one there would be lost.

    Raises:
        StorageError: it cannot be made or emptied.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.db"):
            file.unlink()
    except OSError as error:
        raise StorageError(
            f"metrics cannot be kept in {folder}: {error.strerror or error}",
            next_step="fix permissions there, then run the command again",
        ) from error
    os.environ[VARIABLE] = str(folder.resolve())


def mark_process_dead(folder: Path, pid: int) -> None:
    """Take out what a process that has ended said of its present state; its counts stay."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)
