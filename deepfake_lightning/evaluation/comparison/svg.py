"""Charts of a comparison as inline SVG: they follow the page's colours, on screens and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.evaluation.comparison.words import difference
from deepfake_lightning.evaluation.svg import line, svg, text
from deepfake_lightning.evaluation.words import NAMES
from deepfake_lightning.metrics import LOWER_IS_BETTER, PairedDifference, auroc, roc_curve

MOST_POINTS = 3000
_SIDE, _LEFT, _TOP, _BELOW = 270, 56, 24, 40  # of the square plots and the room around them
_BROAD, _HIGH = _LEFT + _SIDE + 12, _TOP + _SIDE + _BELOW
_WIDTH, _NAMES, _NUMBERS, _ROW = 640, 206, 170, 24  # of the forest plot
# Okabe & Ito: told apart by colour-blind readers; dashes tell them apart in print.
_INK = ("--c0", "--c1", "--c2", "--c3", "--c4", "--c5")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4")
_PAPER = "--c0:#0072b2;--c1:#d55e00;--c2:#00825f;--c3:#a8508a;--c4:#8a6a00;--c5:#3a8fc0"
STYLE = (
    f"<style>:root{{{_PAPER}}}@media (prefers-color-scheme:dark){{:root{{--c0:#56b4e9;"
    "--c1:#ee8a5c;--c2:#3fc79a;--c3:#dd9cc3;--c4:#e6c04f;--c5:#8fd0f5}}"
    f"@media print{{:root{{{_PAPER}}}}}svg{{break-inside:avoid}}svg.square{{max-width:25rem}}"
    "svg.broad{max-width:42rem}h3{font-size:1rem;margin:1.6rem 0 .3rem;break-after:avoid}"
    "h2{break-after:avoid}</style>"
)
"""The colours of the charts: to stand once in a page that shows any."""


def forest(differences: Mapping[str, PairedDifference], a: str, b: str) -> str:
    """Return differences b - a with their intervals around 0; to the right b is better.

    Metrics where lower is better are mirrored; log loss, which is no share, has a scale of its own.
    Colours are the verdicts'.
    """
    shares = [one for name, one in differences.items() if name != "log_loss"]
    losses = [one for name, one in differences.items() if name == "log_loss"]
    parts, top = [], 4.0
    for panel in (shares, losses):
        if any(one.difference is not None for one in panel):
            drawn, top = _panel(panel, top)
            parts += drawn
    if not parts:
        return ""
    middle = _NAMES + (_WIDTH - _NAMES - _NUMBERS) / 2
    parts.append(text(middle - 8, top + 12, f"\N{LEFTWARDS ARROW} {_short(a)} better", "end"))
    parts.append(text(middle + 8, top + 12, f"{_short(b)} better \N{RIGHTWARDS ARROW}"))
    about = f"differences of {b} less {a} with intervals"
    return svg(_WIDTH, top + 22, "".join(parts), about, "broad")


def _panel(rows: Sequence[PairedDifference], top: float) -> tuple[list[str], float]:
    ends = [abs(x) for one in rows for x in (one.difference, one.low, one.high) if x is not None]
    step = _step(max([*ends, 0.005]))
    reach = step * (int(max([*ends, 0.005]) / step) + 1)
    half = (_WIDTH - _NAMES - _NUMBERS) / 2
    bottom = top + _ROW * len(rows)
    parts = []
    for count in range(-round(reach / step), round(reach / step) + 1):
        x = _NAMES + half + half * count * step / reach
        colour = "var(--soft)" if count == 0 else "var(--line)"
        parts.append(line(x, top, x, bottom, colour))
        if count % 2 == 0 or reach / step < 3:
            parts.append(text(x, bottom + 14, f"{abs(count * step):.3g}", "middle", 11))
    for place, one in enumerate(rows):
        middle = top + _ROW * (place + 0.5)
        name = NAMES.get(one.name, one.name)
        parts.append(text(_NAMES - 10, middle + 4, name, "end", ink="var(--ink)"))
        parts.append(text(_WIDTH - _NUMBERS + 12, middle + 4, difference(one)))
        parts += _mark(one, middle, _NAMES + half, half / reach)
    return parts, bottom + 24


def _mark(one: PairedDifference, y: float, zero: float, scale: float) -> list[str]:
    if one.difference is None:
        return []
    sign = -1 if one.name in LOWER_IS_BETTER else 1
    colours = {"better": "var(--c0)", "worse": "var(--c1)"}
    colour = colours.get(one.verdict, "var(--soft)")
    parts = []
    if one.low is not None and one.high is not None:
        low, high = (zero + sign * scale * x for x in (one.low, one.high))
        parts.append(line(low, y, high, y, colour, 2))
        parts += [line(x, y - 4, x, y + 4, colour, 2) for x in (low, high)]
    at = zero + sign * scale * one.difference
    return [*parts, f'<circle cx="{at:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>']


def _step(reach: float) -> float:
    """Return a round distance between lines, of which three or so reach that far."""
    rough = reach / 3
    power = float(10.0 ** np.floor(np.log10(rough)))
    return next((power * x for x in (1, 2, 5) if rough <= power * x), power * 10)


def roc(logits: NDArray[np.float64], labels: NDArray[np.int64], names: Sequence[str]) -> str:
    """Return the ROC curves of S detectors, float64 [S, N], in one square; empty with one class."""
    parts = [
        _frame("False-positive rate", "True-positive rate"),
        line(*_at(0, 0), *_at(1, 1), "var(--soft)"),
    ]
    for place, (scores, name) in enumerate(zip(logits, names, strict=True)):
        curve, area = roc_curve(scores, labels), auroc(scores, labels)
        if curve is None or area is None:
            return ""
        points = np.unique(np.round(np.stack(curve[:2], axis=1), 3), axis=0)  # 1/3 of a pixel
        path = " ".join("{:.1f},{:.1f}".format(*_at(x, y)) for x, y in points.tolist())
        look = f'stroke="var({_INK[place % 6]})" stroke-dasharray="{_DASHES[place % 6]}"'
        parts.append(f'<polyline points="{path}" fill="none" {look} stroke-width="2"/>')
        y = _TOP + _SIDE - 10 - 17 * (len(names) - 1 - place)
        right = _LEFT + _SIDE - 6
        parts.append(f'<path d="M{right - 30} {y - 4}h30" {look} stroke-width="2"/>')
        parts.append(text(right - 36, y, f"{_short(name)} {area:.3f}", "end", ink="var(--ink)"))
    return svg(_BROAD, _HIGH, "".join(parts), "ROC curves", "square")


def scatter(
    a: NDArray[np.float64], b: NDArray[np.float64], labels: NDArray[np.int64],
    names: tuple[str, str],
) -> str:  # fmt: skip
    """Return scores of b over those of a, both in [0, 1]; at most :data:`MOST_POINTS` points."""
    drawn = np.arange(len(labels))
    if len(drawn) > MOST_POINTS:
        drawn = np.random.default_rng(0).choice(drawn, MOST_POINTS, replace=False)
    first, second = (_short(name) for name in names)
    parts = [
        _frame(f"score of {first}", f"score of {second}"),
        line(*_at(0, 0), *_at(1, 1), "var(--soft)"),
    ]
    for label, stroke, mark in (
        (0, 'stroke="var(--c0)" stroke-linecap="round" stroke-width="5"', "h0"),
        (1, 'stroke="var(--c1)" stroke-width="1.3"', "m-3-3l6 6m-6 0l6-6"),
    ):
        chosen = drawn[labels[drawn] == label]
        spots = np.unique(np.round(np.stack([a[chosen], b[chosen]], axis=1), 3), axis=0)
        path = "".join("M{:.1f} {:.1f}".format(*_at(x, y)) + mark for x, y in spots.tolist())
        parts.append(f'<path d="{path}" {stroke} stroke-opacity=".55" fill="none"/>')
        x = _LEFT + 8 + 70 * label
        parts.append(f'<path d="M{x} {_TOP - 11}{mark}" {stroke} fill="none"/>')
        parts.append(text(x + 9, _TOP - 7, ("real", "fake")[label], ink="var(--ink)"))
    about = f"scores of {names[1]} over those of {names[0]}"
    return svg(_BROAD, _HIGH, "".join(parts), about, "square")


def _at(x: float, y: float) -> tuple[float, float]:
    """Return where a point of the unit square is drawn."""
    return _LEFT + x * _SIDE, _TOP + (1 - y) * _SIDE


def _frame(x_name: str, y_name: str) -> str:
    (left, bottom), (right, top) = _at(0, 0), _at(1, 1)
    parts = []
    for tick in (0, 0.5, 1):
        x, y = _at(tick, tick)
        parts += [line(x, top, x, bottom, "var(--line)"), line(left, y, right, y, "var(--line)")]
        parts.append(text(x, bottom + 15, f"{tick:g}", "middle", 11))
        parts.append(text(left - 6, y + 4, f"{tick:g}", "end", 11))
    parts.append(text((left + right) / 2, bottom + 32, x_name, "middle"))
    turned = f'transform="rotate(-90 14 {(top + bottom) / 2:.0f})"'
    parts.append(text(14, (top + bottom) / 2, y_name, "middle", more=turned))
    return "".join(parts)


def _short(name: str, most: int = 22) -> str:
    return name if len(name) <= most else f"{name[: most - 8]}\N{HORIZONTAL ELLIPSIS}{name[-7:]}"
