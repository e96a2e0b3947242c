"""Celeb-DF v1, v2 and ++.

``Celeb-real/id0_0000.mp4``, ``YouTube-real/00170.mp4`` and ``Celeb-synthesis/id0_id1_0000.mp4``
(target, source), with or without a level ``videos/``; in ++ the methods are folders below
``Celeb-synthesis``. The node of the identity graph is the person; the people of ``YouTube-real``
are unknown, and each of its clips is its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake_lightning.data.layouts.clip_files import clip_files, clip_record, folders_in
from deepfake_lightning.data.layouts.layout import Found, Layout, Options, found_rows
from deepfake_lightning.errors import LayoutError

LICENCE = "Celeb-DF Terms of Use"
TEST_LIST = "List_of_testing_videos.txt"
VERSIONS = ("Celeb-DF", "Celeb-DF-v1", "Celeb-DF-v2", "Celeb-DF++")
_FOLDERS = {"celeb-real": 0, "youtube-real": 0, "celeb-synthesis": 1}
_LENGTHS = {100: "Celeb-DF-v1", 518: "Celeb-DF-v2"}  # of the test lists
_PERSON = re.compile(r"(id\d+)(?:_(id\d+))?(?:_.+)?")
_ODD = "a name that is not idT_NNNN, NNNNN, or idT_idS_NNNN of a fake"
_ABSENT = f"named in {TEST_LIST}, and not there"
_LINE = re.compile(r"([01])\s+(\S.*)")


def parse_name(stem: str) -> tuple[str, str | None] | None:
    """Return the target and the source (None without one) of a clip's name.

    Example:
        >>> parse_name("id0_id16_0003"), parse_name("id0_0000"), parse_name("00170")
        (('id0', 'id16'), ('id0', None), None)
    """
    match = _PERSON.fullmatch(stem)
    return (match[1], match[2]) if match else None


def read_test_list(path: Path) -> dict[str, tuple[int, str]]:
    """Return the label (1 is fake, as everywhere here) and the path of every listed clip.

    The file has no header, and **1 is real** in it. Keys are as :func:`_key` makes them.

    Raises:
        LayoutError: a line that is not ``<0 or 1> <folder>/<file>``.
    """
    listed = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is None and line.strip():
            raise LayoutError(
                f"{path}, line {number}: {line!r} is not a label and a path",
                next_step="it looks like: 1 YouTube-real/00170.mp4",
            )
        if match:
            name = match[2].replace("\\", "/")
            listed[_key(name)] = (1 - int(match[1]), name)
    return listed


def _key(name: str) -> str:
    """Return a path without suffix and ``videos/``, in lower case (YouTube is spelt two ways)."""
    parts = PurePosixPath(name).with_suffix("").parts
    return "/".join(part.lower() for part in parts if part.lower() != "videos")


def recognises(root: Path) -> bool:
    """Return whether there is a folder ``Celeb-real`` or ``Celeb-synthesis``."""
    return bool({"celeb-real", "celeb-synthesis"} & {p.name.lower() for p in folders_in(root)})


def read(root: Path, options: Options) -> Found:
    """Return the rows; listed clips are ``test``, and the others have no split.

    Raises:
        LayoutError: the test list is damaged, or its labels are not those of the folders.
    """
    skipped: dict[str, str] = {}
    path = (options.splits or root) / TEST_LIST
    if options.splits is not None and not path.is_file():
        raise LayoutError(
            f"{path} does not exist", next_step=f"name the folder of Celeb-DF's {TEST_LIST}"
        )
    listed = read_test_list(path) if path.is_file() else {}
    rows = []
    used = set()
    version = _version(root, len(listed))
    for key, row in _records(root, version, skipped):
        if key in listed:
            used.add(key)
            _check_label(path, row, *listed[key])
            row["split"] = "test"
        rows.append(row)
    skipped |= {name: _ABSENT for key, (_, name) in listed.items() if key not in used}
    notes = [f"taken for {version}", _said(listed, rows, len(used))]
    policy = "official" if used else "none"
    return found_rows(root, rows, policy, skipped, notes)


def _said(listed: dict[str, tuple[int, str]], rows: list[dict[str, Any]], used: int) -> str:
    if not listed:
        return f"no {TEST_LIST}: which clips are the official test is not known"
    rest = sum("split" not in row for row in rows)
    return (
        f"{used:,} of the {len(listed):,} clips of {TEST_LIST} are there: they are test, and "
        f"{rest:,} other files have no split"
    )


def _check_label(path: Path, row: dict[str, Any], label: int, name: str) -> None:
    if row["label"] != label:
        raise LayoutError(
            f"{path} says {'fake' if label else 'real'} of {name}, and its folder the opposite",
            why="1 is real in that list",
            next_step="take the list that the authors publish",
        )


def _version(root: Path, listed: int) -> str:
    """Return the version by the folder's name, its methods, or the length of the test list."""
    name = root.resolve().name.lower()
    below = (p for folder in folders_in(root) if folder.name.lower() == "celeb-synthesis"
             for p in folders_in(folder))  # fmt: skip
    methods = [p for p in below if p.name.lower() not in ("videos", "images", "frames", "faces")]
    if "++" in name or any(not parse_name(p.name) for p in methods):
        return "Celeb-DF++"
    number = re.search(r"(?<![a-z])v[-_]?([12])(?!\d)", name)
    return f"Celeb-DF-v{number[1]}" if number else _LENGTHS.get(listed, "Celeb-DF")


def _records(
    root: Path, version: str, skipped: dict[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in folders_in(root):
        label = _FOLDERS.get(folder.name.lower())
        for file in clip_files(root, folder, skipped) if label is not None else ():
            people = parse_name(file.clip)
            if folder.name.lower() == "youtube-real":
                people = (f"YouTube-real/{file.clip}", None)
            # Only ++ has fakes without a donor: a face that is made to talk.
            if people is None or (label == 1 and people[1] is None and not file.levels):
                skipped[file.path.relative_to(root).as_posix()] = _ODD
                continue
            method = "/".join(file.levels) or folder.name
            row = clip_record(
                root, file, version, label=label, target_id=people[0], source_id=people[1],
                method=method if label else None, licence=LICENCE,
            )  # fmt: skip
            yield _key("/".join((folder.name, *file.levels, f"{file.clip}.mp4"))), row


LAYOUT = Layout("celeb_df", "Celeb-DF", recognises, read, frozenset({"splits"}))
