"""Text of others on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text without what moves the cursor or colours the screen."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
