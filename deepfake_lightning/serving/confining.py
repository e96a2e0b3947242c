"""What a process gives up before it decodes what people send."""

from __future__ import annotations

import os
import resource
from pathlib import Path

MEMORY = 6 << 30
"""Bytes of addresses; libraries take one of these six before any file is read."""
TOO_MUCH = "it takes more memory than a file may"


def confine_process(memory: int | None = MEMORY) -> None:
    """Leave nothing of what is decoded on the disk or in a log, and bound what it may take.

    Args:
        memory: bytes of addresses; None sets no bound: a GPU's driver takes more than there is.
    """
    with Path(os.devnull).open("wb") as nowhere:  # decoders quote there what people send
        os.dup2(nowhere.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
