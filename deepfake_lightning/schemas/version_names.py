"""Names of versions, ``v1.2.0`` or ``v2.0.0-rc.1``, in the order of SemVer 2.0.0."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from semver import Version

from deepfake_lightning.errors import UsageError

Part = Literal["major", "minor", "patch", "prerelease"]
FIRST = "v1.0.0"
_LONGEST = 64


@lru_cache(maxsize=65536)
def parse_version(name: str) -> Version:
    """Return a version; the ``v`` may be missing.

    Build metadata (``v1.0.0+cpu``) are refused: they have no part in SemVer's order, so two
    versions could be neither older nor newer than each other.

    Raises:
        UsageError: it is none.
    """
    text = name.removeprefix("v")
    if len(name) <= _LONGEST and text.isascii() and Version.is_valid(text):
        found = Version.parse(text)
        if not found.build:
            return found
    raise UsageError(
        f"{name[:80]!r} is no version",
        why="versions are MAJOR.MINOR.PATCH, with -rc.1 or the like behind them for a pre-release",
        next_step="name it so: v1.2.0, v2.0.0-rc.1",
    )


def is_version(name: str) -> bool:
    """Return whether a name is that of a version."""
    try:
        parse_version(name)
    except UsageError:
        return False
    return True


def canonical(name: str) -> str:
    """Return a version as folders are named: ``1.0.0`` becomes ``v1.0.0``.

    Raises:
        UsageError: it is none.
    """
    return f"v{parse_version(name)}"


def in_order(names: Iterable[str]) -> list[str]:
    """Return versions in the order of SemVer (section 11), the lowest first."""
    return sorted(names, key=parse_version)


def next_version(names: Iterable[str], part: Part = "minor") -> str:
    """Return the version that follows the highest of those that there are or ever were.

    A pre-release is followed by its release, where that is what the part asks for: ``minor`` makes
    ``v1.1.0`` of ``v1.1.0-rc.1``.

    Args:
        names: of versions; without any it is the first, ``v1.0.0``.
        part: which number goes up.
    """
    highest = max(map(parse_version, names), default=None)
    if highest is None:
        return FIRST
    return f"v{highest.next_version(part)}"
