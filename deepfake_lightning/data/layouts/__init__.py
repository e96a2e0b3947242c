"""What a folder or file of media holds: one module per layout.

A layout is a :class:`~deepfake_lightning.data.layouts.layout.Layout`: a name, a function that tells
whether a root is of it, and one that reads its rows. Tables go first (a manifest, then an index
file); of the others exactly one may recognise a root, and two that do are an error.

**Adding a layout.** Write a module with the two functions and a constant ``LAYOUT``. ``recognises``
looks at a few names and is false, without an error, of anything else. ``read`` walks
:func:`~deepfake_lightning.data.layouts.clip_files.clip_files`, which gives each clip once, as its
video or as pictures of it, makes a row of each with
:func:`~deepfake_lightning.data.layouts.clip_files.clip_record` and returns
:func:`~deepfake_lightning.data.layouts.layout.found_rows`. A row says what the names say:
``label``, ``target_id`` and ``source_id`` (people, or original clips where people are unknown; a
donor left out is a leak), ``method``, ``compression``, ``licence``, and ``split`` where the authors
give one. The ``group_id`` is the target's: splits join groups by their targets and sources. What is
left out goes into ``skipped`` with a reason. Then name it in ``BUILT_IN`` of
:mod:`~deepfake_lightning.data.layouts.recognition`, or, in a package of your own, as an entry
point::

    [project.entry-points."deepfake_lightning.layouts"]
    my_set = "my_package.my_set:LAYOUT"
"""

from __future__ import annotations

import logging
from pathlib import Path

from deepfake_lightning.data.layouts.layout import Found, Layout, Options
from deepfake_lightning.data.layouts.recognition import find_layout, layout_named, layouts
from deepfake_lightning.errors import LayoutError, UsageError
from deepfake_lightning.schemas import Manifest

__all__ = [
    "Found",
    "Layout",
    "Options",
    "find_layout",
    "layout_named",
    "layouts",
    "read_media",
    "recognise",
]

log = logging.getLogger(__name__)


def read_media(root: Path, *, group_pattern: str | None = None) -> Manifest:
    """Return the manifest of ``root``.

    In class folders and by an index, the frames of a clip that have no number are numbered in
    the order of their paths.

    Args:
        root: a manifest or index file (CSV, Parquet), or a folder with
            ``manifest.csv``/``.parquet``, ``index.csv``, the folders of a published data set, or
            ``real/`` and ``fake/`` (also below ``train/``, ``val/``, ``test/``).
        group_pattern: for class folders and an index, a regular expression whose first
            group, found in a file's name, is the person or clip the file belongs to.

    Raises:
        LayoutError: nothing is there, nothing is recognised, or several layouts are.
        TableError: a file, row and column that is wrong.
        UsageError: it is the address of an object storage.
    """
    if not root.exists():
        _refuse_address(root)
        raise LayoutError(f"no data: {root} does not exist", next_step=_ways_on(root))
    manifest = recognise(root, group_pattern=group_pattern)
    if manifest is None:
        raise LayoutError(
            f"no data: {root} holds no manifest, no index.csv, no real/ and fake/ folders, and is "
            "no data set that is known by its folders",
            next_step=_ways_on(root),
        )
    return manifest


def recognise(root: Path, *, group_pattern: str | None = None) -> Manifest | None:
    """Return the manifest of what is there, as :func:`read_media`, or None of an unknown layout."""
    layout = find_layout(root)
    if layout is None:
        return None
    options = Options(group_pattern)
    found = layout.read(root, options)
    notes = [*found.notes, *unused(layout, options)]
    if found.skipped:
        notes.append(f"{len(found.skipped):,} files are skipped: `deepfake-lightning data index` "
                     "says which and why")  # fmt: skip
    for note in notes:
        log.warning("%s (%s): %s", root, layout.title, note)
    return found.manifest


def unused(layout: Layout, options: Options) -> list[str]:
    """Return a note on each option that is given and that a layout has no use for."""
    return [
        f"{name} is not used: {layout.title} says that itself"
        for name in options.given()
        if name not in layout.takes
    ]


def _refuse_address(root: Path) -> None:
    """Refuse an address of an object storage, which a path writes with one slash."""
    protocol, colon, rest = root.as_posix().partition(":/")
    if colon and protocol.isalnum():
        url = f"{protocol}://{rest.lstrip('/').rpartition('@')[2]}"  # without a key in it
        raise UsageError(
            f"{url} is no folder, and data are worked on in one",
            why="pictures are read one by one, in another order each epoch",
            next_step=f"deepfake-lightning data pull {url} --out FOLDER, then pass that folder",
        )


def _ways_on(root: Path) -> str:
    return (
        "either draw demo clips with `deepfake-lightning data demo` and take out their faces with\n"
        "      `deepfake-lightning extract mlops/data/demo --out FOLDER`,\n"
        f"      or put face pictures in {root}/real and {root}/fake, and pass `--data.root FOLDER` "
        "where they are elsewhere"
    )
