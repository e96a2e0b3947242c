"""What the names of pictures say about the clips they are frames of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

import pandas as pd

from deepfake_lightning.errors import LayoutError

# A counter at the end of a frame's name; longer runs of digits are hashes or dates
_NUMBER = re.compile(r"(?<!\d)(\d{1,9})$")
# A name that ends in a counter behind a separator: clip_003, id0-frame12, v.0007
_FRAME_NAME = re.compile(r"^(.+?)[ _.-]+(?:f|frame|face)?_?\d+$", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")


def frame_number(stem: str) -> int | None:
    """Return the number at the end of a frame's name (without its suffix), None without one."""
    match = _NUMBER.search(stem)
    return int(match.group(1)) if match else None


def matched_group(pattern: str, stem: str, path: object) -> str:
    """Return what the first group of a ``group_pattern`` finds in a picture's name.

    Args:
        pattern: the regular expression.
        stem: the name without its suffix.
        path: the file, for messages.

    Raises:
        LayoutError: the pattern is no regular expression, or finds nothing.
    """
    try:
        match = re.search(pattern, stem)
    except re.error as error:
        raise LayoutError(
            f"group_pattern {pattern!r} is not a regular expression: {error}",
            next_step="escape what stands for itself, for example \\( for a parenthesis",
        ) from error
    if match is None or not match.groups() or not match.group(1):
        raise LayoutError(
            f"group_pattern {pattern!r} finds no group in {stem!r} ({path})",
            next_step="write one pair of parentheses around what names the person or clip",
        )
    return match.group(1)


def refuse_frames(origin: object, paths: Iterable[str], way: str) -> None:
    """Refuse a random split of pictures whose names count up: frames of one clip would leak.

    Args:
        origin: where the pictures are listed, for the message.
        paths: the pictures that would be split at random.
        way: what else can be done than to give a ``group_pattern``.

    Raises:
        LayoutError: half of the names or more look like frames, and two are of one clip.
    """
    names = [PurePosixPath(path) for path in paths]
    prefixes: Counter[str] = Counter()
    for name in names:
        if match := _FRAME_NAME.match(name.stem):
            prefixes[f"{name.parent}/{match.group(1)}"] += 1
    if not prefixes:
        return
    prefix, count = prefixes.most_common(1)[0]
    if count > 1 and sum(prefixes.values()) >= len(names) / 2:
        raise LayoutError(
            f"{count} pictures in {origin} are named {prefix}_<number>: they look like frames of "
            "one clip",
            why="a random split would put frames of a clip on both sides, and figures would lie",
            next_step=f"say what names the clip: --data.group_pattern '(.+)_[0-9]+', {way},\n"
            "      or, where every picture is a clip of its own, --data.group_pattern '(.+)'",
        )


def number_frames(rows: pd.DataFrame) -> pd.DataFrame:
    """Return manifest rows in which every picture of a clip has a frame number.

    Frames are ordered windows of scores later on, so in each (``video_id``, ``track_id``) of
    several pictures those without a number are counted in the order of their paths (``f2``
    before ``f10``), from 0 or from behind the highest number given.
    """
    clip = rows.groupby(["video_id", "track_id"], dropna=False).ngroup()
    missing = rows["frame"].isna() & clip.duplicated(keep=False)
    if not missing.any():
        return rows
    highest = rows["frame"].groupby(clip).transform("max").fillna(-1)
    order = rows.loc[missing, "path"].map(_in_order)
    place = order.sort_values(kind="stable").groupby(clip).cumcount()
    numbers = (highest + 1 + place).where(missing, rows["frame"])
    return rows.assign(frame=numbers.astype("Int64"))


def tell_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Return manifest rows in which no two videos, and no video and picture, are one item.

    ``a.mp4`` beside ``a.avi`` or ``a.jpg`` has its suffix in its ``video_id``.
    """
    is_video = rows["media_type"] == "video"
    shared = is_video & rows["video_id"].duplicated(keep=False)
    if not shared.any():
        return rows
    suffixes = rows["path"].map(lambda path: PurePosixPath(path).suffix)
    return rows.assign(video_id=rows["video_id"].where(~shared, rows["video_id"] + suffixes))


def _in_order(path: str) -> str:
    return _DIGITS.sub(lambda run: run[0].zfill(20), path)
