"""A piece of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Section:
    """A title, sentences and a table; plain text that the page and Markdown escape.

    Attributes:
        key: unique within the report.
        title: of it.
        text: paragraphs before the table.
        heads, rows: of the table; without rows there is none.
        numbers: places of columns that hold numbers.
    """

    key: str
    title: str
    text: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=())
    numbers: Sequence[int] = ()
