"""Bars, columns and lines of block characters, an eighth of a character exact."""

from __future__ import annotations

from collections.abc import Sequence

_ACROSS = " ▏▎▍▌▋▊▉█"
_UP = " ▁▂▃▄▅▆▇█"


def bar(share: float, width: int) -> str:
    """Return a bar of a share, 0 to 1, filled up with spaces."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_ACROSS[rest] if rest else "")).ljust(width)


def columns(values: Sequence[float], height: int) -> list[str]:
    """Return columns beside each other, the upper row first; the highest has all of the height.

    What is not 0 has an eighth at least.
    """
    top = max(values, default=0.0) or 1.0
    eighths = [max(1 if value else 0, round(value / top * height * 8)) for value in values]
    return [
        "".join(_UP[min(8, max(0, eighth - 8 * row))] for eighth in eighths)
        for row in reversed(range(height))
    ]


def spark(values: Sequence[float], width: int) -> str:
    """Return columns of one row, at most ``width``: neighbours are averaged."""
    if len(values) > width:
        groups = [values[len(values) * at // width : len(values) * (at + 1) // width]
                  for at in range(width)]  # fmt: skip
        values = [sum(group) / len(group) for group in groups]
    return columns(values, 1)[0]
