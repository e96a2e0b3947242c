"""Markdown that shows any text as it is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of plain text."""

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(map(markdown_text, cells))} |"

    return "\n".join([line(heads), f"|{' --- |' * len(heads)}", *map(line, rows)])


def markdown_text(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", html.escape(one_line, quote=False))
