"""Files in which the processes of a server add up their metrics.

``prometheus_client`` looks for their folder when it is imported. So this module does not import it,
and the environment names the folder before any process of the server does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from deepfake_lightning.temporary import temporary_folder

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder to the processes of a server."""


def metrics_folder() -> AbstractContextManager[Path]:
    """Give a folder that is this server's alone: counts of another one there would add up.

    Raises:
        StorageError: it cannot be made.
    """
    return temporary_folder("deepfake-metrics-")


def mark_process_dead(folder: Path, pid: int) -> None:
    """Take out what a process that has ended said of its present state; its counts stay."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)
