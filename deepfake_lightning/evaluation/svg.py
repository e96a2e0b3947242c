"""The parts of charts as inline SVG: they take the colours of the page they stand in."""

from __future__ import annotations

from html import escape


def text(
    x: float, y: float, words: str, anchor: str = "start", size: int = 12,
    ink: str = "var(--soft)", more: str = "",
) -> str:  # fmt: skip
    """Return words at a place; they are escaped, ``more`` (further attributes) is not."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{ink}" {more}>{escape(words)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    """Return a straight line."""
    where = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {where} stroke="{colour}" stroke-width="{width}"/>'


def svg(width: float, height: float, inside: str, about: str, kind: str) -> str:
    """Return a drawing.

    Args:
        width: in its own units; a page scales it.
        height: likewise.
        inside: its parts.
        about: what it shows, for whoever hears the page.
        kind: its class in the page's style.
    """
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="img"'
        f' aria-label="{escape(about)}">{inside}</svg>'
    )
