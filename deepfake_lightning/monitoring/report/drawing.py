"""Pieces of SVG that follow a page's colours."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

INKS = ("--c0", "--c1", "--c2", "--c3", "--c4", "--c5")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4")


def text(x: float, y: float, words: str, anchor: str = "start", ink: str = "var(--soft)") -> str:
    """Return a text of 12 px."""
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}"'
    return f'<text {where} fill="{ink}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = "var(--line)") -> str:
    """Return a line of 1 px."""
    where = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {where} stroke="{colour}"/>'


def look(place: int) -> str:
    """Return stroke and dashes of the line with that number: told apart in grey, too."""
    return f'stroke="var({INKS[place % 6]})" stroke-dasharray="{DASHES[place % 6]}"'


def svg(width: float, height: float, inside: str, about: str) -> str:
    """Return a drawing."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(about)}">'
        f"{inside}</svg>"
    )


def ticks(top: float, most: int = 4) -> list[float]:
    """Return round numbers from 0 on, the last of which is at or above ``top`` > 0."""
    rough = top / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * 0.999)
    return [step * count for count in range(math.ceil(top / step - 1e-9) + 1)]


def axis_number(unit: str, top: float) -> Callable[[float], str]:
    """Return how numbers on an axis are written: ``%`` of shares, plain otherwise."""
    if unit == "%":
        return lambda value: f"{100 * value:.3g} %"
    return lambda value: f"{value:,.0f}" if top >= 10 else f"{value:.3g}"
