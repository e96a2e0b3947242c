"""Which requests figures are of, and whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deepfake_lightning.monitoring.log.records import Variant

COMMAND = "predict"
"""Route of what the command of that name wrote: no traffic."""

UNKNOWN = "unknown"
"""Media type of requests that were refused before they were looked at."""

_UNANSWERED = "none"  # a request needs a version in the log


def version_of(key: Mapping[str, str]) -> str:
    """Return which version a roll-up's requests were answered by; ``""`` for none."""
    return "" if key["version"] == _UNANSWERED else key["version"]


@dataclass(frozen=True)
class Scope:
    """Which part of the traffic figures are of; None is all of it.

    What the command ``predict`` writes to the log is no traffic, and is left out.

    Attributes:
        environment: that was asked, ``production``.
        version: that answered or, with ``variant`` ``shadow``, that scored beside it.
        variant: ``serving`` for the versions that answered.
        media_type: ``image``, ``video``, or :data:`UNKNOWN`.
    """

    environment: str | None = None
    version: str | None = None
    variant: Variant | None = "serving"
    media_type: str | None = None
