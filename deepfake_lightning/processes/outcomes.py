"""What comes of a job besides its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from deepfake_lightning.errors import DeepfakeLightningError

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lost:
    """A job that came to nothing.

    Attributes:
        reason: what happened to it, to follow the name of its file.
    """

    reason: str


def run_here(
    function: Callable[[Job], Result], job: Job, *, raised: tuple[type[DeepfakeLightningError], ...]
) -> Result | Lost:
    """Return the result of a job in this process: without a timeout, and a crash ends all."""
    try:
        return function(job)
    except raised:
        raise
    except Exception as error:
        return surprise(error)


def surprise(error: Exception) -> Lost:
    """Return what is said where a library met something that nobody has seen before."""
    return Lost(f"cannot be worked on: {type(error).__name__}: {error}")


def too_slow(timeout: float) -> Lost:
    """Return what is said of a job that was stopped after so many seconds."""
    return Lost(f"takes longer than {timeout:g} s (--timeout)")
