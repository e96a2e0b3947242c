"""Typed errors: each says what is wrong, why it matters and what to do next.

The command line prints them without a traceback and exits with ``exit_code``:
2 for what the user can put right (a flag, a file, a data set), 1 for what the
machine did (a full disk). Programs catch the class they care about, or
:class:`DeepfakeLightningError` for all of them.
"""

from __future__ import annotations


class DeepfakeLightningError(Exception):
    """Root of all errors this package raises on purpose.

    Args:
        what: the thing that is wrong, named (file, row, column, key, version).
        why: why that stops the work; empty where ``what`` says it all.
        next_step: what to do about it, as a command where there is one.
    """

    exit_code = 2

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"Why: {self.why}")
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders (data loader workers); keyword-only
        # arguments do not survive the default protocol.
        return (_rebuild, (type(self), self.what, self.why, self.next_step))


def _rebuild(
    kind: type[DeepfakeLightningError], what: str, why: str, next_step: str
) -> DeepfakeLightningError:
    return kind(what, why=why, next_step=next_step)


class UsageError(DeepfakeLightningError):
    """A flag, a configuration key or a combination of them that cannot work."""


class BusyError(UsageError):
    """Another process does the same just now: it is to be tried again later."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h, which schedulers know


class DataError(DeepfakeLightningError):
    """A data set that cannot be trained or measured on as it stands."""


class TableError(DataError):
    """A manifest or predictions table with a wrong file, row or column."""


class LayoutError(DataError):
    """A folder or file in which no known data-set layout is recognised."""


class SplitError(DataError):
    """Splits that are empty, one-sided, or share an identity."""


class MediaError(DataError):
    """A picture or clip that cannot be read."""


class DegradationError(DataError):
    """A picture or clip that cannot be degraded: no fault of the detector that is measured."""


class MediaLimitError(MediaError):
    """A picture or clip that is larger or longer than it may be."""


class CheckpointError(DeepfakeLightningError):
    """A checkpoint that is missing, damaged, foreign or of another architecture."""


class BundleError(DeepfakeLightningError):
    """A bundle that is damaged, changed, foreign, or that cannot be built."""


class RegistryError(DeepfakeLightningError):
    """A registry or version that is damaged, changed, or that may not be changed so."""


class SignatureError(RegistryError):
    """A version without a signature that holds, or a key that signs or verifies nothing."""


class MirrorError(DeepfakeLightningError):
    """An MLflow server that is away, refuses, or holds what cannot be taken from it."""


class DeploymentError(DeepfakeLightningError):
    """What serves cannot be changed so, or not now."""


class WeightsError(DeepfakeLightningError):
    """Pretrained weights that cannot be had."""


class UndefinedMetricError(DeepfakeLightningError):
    """A monitored metric that the data leave undefined, or that nothing logs."""


class ClusterError(DeepfakeLightningError):
    """A cluster that cannot be reached, or whose machines cannot do the work."""


class ProcessLostError(DeepfakeLightningError):
    """Another of the processes that do one thing together has ended."""

    exit_code = 1


class StorageError(DeepfakeLightningError):
    """The machine could not keep what was written (disk full, no permission)."""

    exit_code = 1
