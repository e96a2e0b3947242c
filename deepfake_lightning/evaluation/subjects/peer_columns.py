"""Which columns of another detector's table hold what: as a user says it, or by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

from deepfake_lightning.errors import TableError, UsageError
from deepfake_lightning.evaluation.subjects.cells import odd_header, unknown_column

PeerScale = Literal["logit", "probability", "rank"]
"""``logit``: log-odds of fake; ``probability``: of fake; ``rank``: higher means fake."""

SCALES: tuple[PeerScale, ...] = ("logit", "probability", "rank")
_GUESSED = {
    "id": ("video_id", "video", "id", "path", "file", "filename"),
    "score": ("score", "prob", "probability", "logit"),
    "label": ("label", "target"),
}


@dataclass(frozen=True)
class PeerColumns:
    """Which columns of a table hold what; None: there is none, or it has a well-known name.

    Attributes:
        id: of the item: a clip's or picture's name.
        score: of the item, or of each of its frames and tracks.
        label: real or fake.
        group: the same people; items of one group are not independent.
        method: of manipulation.
        dataset: the item is of.
        compression: as the data set calls it.
        track: number of the face within the item.
        frame: number of the frame within the item.
        media_type: ``image`` or ``video``.
        scale: what the score is; None: as its column's name says.
        fake: the labels that mean fake; none: ``1`` and ``fake``, or the one besides ``real``.
        real: those that mean real; none: ``0`` and ``real``, or the one besides ``fake``.
    """

    id: str | None = None
    score: str | None = None
    label: str | None = None
    group: str | None = None
    method: str | None = None
    dataset: str | None = None
    compression: str | None = None
    track: str | None = None
    frame: str | None = None
    media_type: str | None = None
    scale: PeerScale | None = None
    fake: tuple[str, ...] = ()
    real: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what a flag says: ``id=video,score=p,label=target,fake=FAKE|synthetic``.

        Raises:
            UsageError: a part is none of these, or says nothing.
        """
        known = [field.name for field in fields(cls)]
        given: dict[str, object] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, sign, value = (piece.strip() for piece in part.partition("="))
            if name not in known or not sign or not value or name in given:
                near = get_close_matches(name, known, n=1)
                meant = f": is {near[0]!r} meant?" if near and name not in known else ""
                raise UsageError(
                    f"--columns: {part!r} is not understood{meant}",
                    next_step=f"write NAME=COLUMN once for some of {', '.join(known)}",
                )
            given[name] = tuple(value.split("|")) if name in ("fake", "real") else value
        if given.get("scale", "rank") not in SCALES:
            raise UsageError(
                f"--columns: the scale {given['scale']!r} is unknown",
                next_step=f"use one of {', '.join(SCALES)}",
            )
        return cls(**given)  # type: ignore[arg-type]

    def named(self) -> dict[str, str]:
        """Return what is held -> its column, of those that are named."""
        other = ("scale", "fake", "real")
        pairs = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in pairs if name not in other and value is not None}


def mapped_columns(
    path: Path, there: Sequence[str], columns: PeerColumns
) -> tuple[PeerColumns, list[str]]:
    """Return a mapping completed by well-known names, and what was guessed.

    Args:
        path: the table, for messages.
        there: the names of its columns.
        columns: what is said of them.

    Raises:
        TableError: one of them is not there, or which hold id and score is not clear.
    """
    for name in columns.named().values():
        if name not in there:
            raise unknown_column(path, name, there)
    guessed: dict[str, str] = {}
    taken = set(columns.named().values())
    for name, names in _GUESSED.items():
        if getattr(columns, name) is not None:
            continue
        found = [each for each in names if each in there and each not in taken]
        if len(found) == 1:
            guessed[name] = found[0]
        elif found or name != "label":
            raise _no_guess(path, name, found, there)
    if not guessed:
        return columns, []
    listed = ", ".join(f"{name} from {column}" for name, column in guessed.items())
    return replace(columns, **guessed), [f"guessed by the names of {path.name}: {listed}"]  # type: ignore[arg-type]


def _no_guess(path: Path, name: str, found: Sequence[str], there: Sequence[str]) -> TableError:
    if found:
        what = f"{path}: {' and '.join(found)} could both be the {name}"
    else:
        what = f"{path}: no column is known to be the {name}"
    listed = ", ".join(there) or "none"
    example = found[0] if found else "COLUMN"
    return TableError(
        what,
        why=f"its columns are {listed}{odd_header(there)}",
        next_step=f"say which one: --columns {name}={example}",
    )
