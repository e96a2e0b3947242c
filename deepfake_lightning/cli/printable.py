"""Text of others on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console


def printable(text: str) -> str:
    """Return text without what moves the cursor or colours the screen."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def say(console: Console, lines: Iterable[str]) -> None:
    """Print lines as they are, whatever is in them; commands in them can be copied whole."""
    text = "\n".join(printable(line) for one in lines for line in one.splitlines())
    console.print(text, highlight=False, markup=False, soft_wrap=True)
