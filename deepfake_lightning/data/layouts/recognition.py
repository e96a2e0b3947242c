"""Which layout a root is of: those of this package, and those of others by entry point."""

from __future__ import annotations

import logging
from collections.abc import Collection
from importlib.metadata import entry_points
from pathlib import Path

from deepfake_lightning.data.layouts import (
    celeb_df,
    class_folders,
    deepfakebench,
    dfd,
    dfdc,
    dfdc_preview,
    faceforensics,
    index_file,
    manifest_file,
)
from deepfake_lightning.data.layouts.layout import Layout
from deepfake_lightning.errors import LayoutError, UsageError

log = logging.getLogger(__name__)

ENTRY_POINTS = "deepfake_lightning.layouts"
# The tables come first, and the first of them counts: what a user wrote goes before what folders
# look like. Of the others, one alone may recognise a root.
BUILT_IN = (
    manifest_file.LAYOUT,
    index_file.LAYOUT,
    faceforensics.LAYOUT,
    dfd.LAYOUT,
    celeb_df.LAYOUT,
    dfdc.LAYOUT,
    dfdc_preview.LAYOUT,
    deepfakebench.LAYOUT,
    class_folders.LAYOUT,
)


def layouts() -> tuple[Layout, ...]:
    """Return all layouts: our own, then those of installed packages, by name.

    A package's layout that cannot be had, or that takes a name twice, is left out with a warning:
    it must not stop the work on data that are not its own.
    """
    known = {layout.name: layout for layout in BUILT_IN}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            layout = point.load()
        except Exception as error:  # whatever a foreign module raises
            log.warning("the layout %s (%s) cannot be loaded: %r", point.name, point.value, error)
            continue
        if not isinstance(layout, Layout) or layout.name in known:
            fault = f"is named {layout.name}, too" if isinstance(layout, Layout) else "is no Layout"
            log.warning("the layout %s (%s) is left out: it %s", point.name, point.value, fault)
            continue
        known[layout.name] = layout
    return tuple(known.values())


def layout_named(name: str) -> Layout:
    """Return the layout of a name.

    Raises:
        UsageError: there is none.
    """
    known = {layout.name: layout for layout in layouts()}
    if name not in known:
        raise UsageError(f"there is no layout {name!r}", next_step=f"use one of {', '.join(known)}")
    return known[name]


def find_layout(root: Path, *, passing_over: Collection[str] = ()) -> Layout | None:
    """Return the layout of a root, or None where none is recognised.

    Args:
        root: a folder or file that exists.
        passing_over: names of layouts that are not to be tried.

    Raises:
        LayoutError: several recognise it; it names them.
    """
    tried = [layout for layout in layouts() if layout.name not in passing_over]
    for layout in tried:
        if layout.is_table and layout.recognises(root):
            return layout
    found = [layout for layout in tried if not layout.is_table and layout.recognises(root)]
    if len(found) > 1:
        raise LayoutError(
            f"{root} looks like {' and like '.join(layout.title for layout in found)}",
            why="each would read other labels and people from it",
            next_step="put them into folders of their own, or say which with\n"
            f"      `deepfake-lightning data index {root} --layout {found[0].name}` "
            f"(or {', '.join(layout.name for layout in found[1:])})",
        )
    return found[0] if found else None
