"""What a layout is: how it is told, how it is read, and what reading it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake_lightning.data.layouts.frame_names import number_frames, tell_apart
from deepfake_lightning.errors import LayoutError
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.manifest import manifest_rows


@dataclass(frozen=True)
class Options:
    """What a user says about the data; a layout takes what it names in :attr:`Layout.takes`.

    Attributes:
        group_pattern: regular expression whose first group, found in a file's name, is the person
            or clip the file belongs to.
        splits: folder with the data set's official split files, where they are elsewhere.
    """

    group_pattern: str | None = None
    splits: Path | None = None

    def given(self) -> list[str]:
        """Return the names of the options that are given."""
        return [name for name in ("group_pattern", "splits") if getattr(self, name) is not None]


@dataclass(frozen=True)
class Found:
    """What reading a root gives.

    Attributes:
        manifest: its rows. Their policy is ``official`` where the data set's authors made the
            splits, ``given`` where they come with the data, ``none`` without any.
        skipped: what is not in the rows: path below the root -> reason. A reason is counted, so
            it names no file.
        notes: what a user should know before using the rows.
    """

    manifest: Manifest
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One way in which data sets lie on disk.

    Attributes:
        name: for ``--layout`` and in messages, such as ``celeb_df``.
        title: how people call it.
        recognises: whether a root (a folder or a file) is of this layout. It looks at a few names
            only, never raises, and is asked of every root.
        read: the rows of a root that it recognises.
        takes: the fields of :class:`Options` that it uses.
        is_table: a table that the user has written; it goes before what the folders look like.
    """

    name: str
    title: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Options], Found]
    takes: frozenset[str] = frozenset()
    is_table: bool = False


def found_rows(
    root: Path,
    records: Iterable[Mapping[str, Any]],
    policy: str = "none",
    skipped: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
) -> Found:
    """Return checked rows of records by column, their frames numbered, their items told apart.

    Raises:
        LayoutError: there are none.
        TableError: they break the manifest's rules.
    """
    frame = pd.DataFrame(list(records))
    if frame.empty:
        reasons = sorted(set((skipped or {}).values()))
        raise LayoutError(
            f"no data: {root} is laid out as a known data set, and none of its media are there",
            why=f"skipped: {'; '.join(reasons)}" if reasons else "",
            next_step="check that the download is whole",
        )
    rows = number_frames(tell_apart(manifest_rows(frame, root)))
    return Found(Manifest(rows, root, root, policy), dict(skipped or {}), tuple(notes))
