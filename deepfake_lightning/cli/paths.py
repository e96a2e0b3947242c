"""Paths as they are shown."""

from __future__ import annotations

from pathlib import Path


def near(path: Path) -> str:
    """Return a path relative to the current folder where it lies below it."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
