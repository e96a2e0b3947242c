"""Several processes that train together: none outlives the first, and who is left says why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import Trainer
from torch.distributed import DistError, is_available, is_initialized

from deepfake_lightning.errors import ProcessLostError
from deepfake_lightning.processes import end_with_parent

_FIRST = "DEEPFAKE_FIRST_PROCESS"


def end_with_the_first(trainer: Trainer) -> None:
    """Let processes that Lightning is about to start end with this one, however that ends.

    Left alone they would wait for it on their GPUs for minutes. Those that torchrun or SLURM start
    are theirs.
    """
    if os.environ.get(_FIRST) == str(os.getppid()):
        end_with_parent()
    elif trainer.strategy.launcher is not None:
        os.environ[_FIRST] = str(os.getpid())


@contextmanager
def told_apart(trainer: Trainer) -> Iterator[None]:
    """Tell the end of another process from an error of one's own.

    Raises:
        ProcessLostError: another process has ended, and said why.
    """
    try:
        yield
    except RuntimeError as error:
        if trainer.world_size == 1 or not (_is_joined() and _is_of_a_line(error)):
            raise
        raise ProcessLostError(
            f"process {trainer.global_rank} of {trainer.world_size} was left by another, which "
            "has ended",
            why=f"they train together, and none goes on alone: {_first_line(error)}",
            next_step="see what the other one said; where it said nothing it was killed, for want "
            "of memory as a rule",
        ) from error


def _is_joined() -> bool:
    """Whether the others were there; before that an address, a port or a network is wrong."""
    return is_available() and is_initialized()


def _is_of_a_line(error: RuntimeError) -> bool:
    """Whether the line to another process has broken; Gloo's errors have no class of their own."""
    return isinstance(error, DistError) or "gloo/transport" in str(error)


def _first_line(error: RuntimeError) -> str:
    return str(error).strip().partition("\n")[0]
