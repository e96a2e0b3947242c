"""Charts of a report: narrow enough to be read on a phone, two beside each other on a screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from deepfake_lightning.evaluation.comparison.svg import STYLE as COLOURS
from deepfake_lightning.monitoring.log.totals import SCORE_EDGES
from deepfake_lightning.monitoring.report.drawing import axis_number, line, look, svg, text, ticks
from deepfake_lightning.monitoring.windows import Period

_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _BELOW = 430, 200, 50, 14, 46, 24
STYLE = COLOURS + (
    "<style>.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));"
    "gap:.5rem 1.5rem}.charts svg{max-width:none;margin:.3rem 0}</style>"
)
_PROBABILITIES = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)

Line = Sequence[tuple[float, float | None]]


def lines(
    title: str,
    found: Mapping[str, Line],
    period: Period,
    unit: str = "",
    limit: float | None = None,
) -> str:
    """Return lines over time, from 0 on; where there is no value a line is broken.

    Args:
        title: of the chart.
        found: name -> times (microseconds since 1970, UTC) with values.
        period: that the axis shows.
        unit: ``%`` for shares.
        limit: a value that is drawn as a level line.
    """
    values = [value for every in found.values() for _, value in every if value is not None]
    marks = ticks(max([*values, limit or 0.0]) or (0.01 if unit == "%" else 1.0))
    span = period.end_us - period.start_us

    def x(at_us: float) -> float:
        at = min(max(at_us - period.start_us, 0), span)
        return _LEFT + at / span * (_WIDE - _LEFT - _RIGHT)

    parts = [text(0, 14, title, ink="var(--ink)"), *_levels(marks, unit)]
    parts += [text(x(at), _HIGH - 6, words, anchor) for at, words, anchor in _times(period)]
    if limit is not None:
        at = _height(limit, marks)
        parts.append(line(_LEFT, at, _WIDE - _RIGHT, at, "var(--hot)"))
    if not values:
        parts.append(text((_LEFT + _WIDE) / 2, _HIGH / 2, "nothing in this period", "middle"))
    for place, every in enumerate(found.values()):
        spots = [None if value is None else (x(at), _height(value, marks)) for at, value in every]
        parts.append(f'<path d="{_path(spots)}" fill="none" {look(place)} stroke-width="2" '
                     'stroke-linecap="round" stroke-linejoin="round"/>')  # fmt: skip
    return svg(_WIDE, _HIGH, "".join(parts) + _legend(list(found)), title)


def histogram(title: str, found: Mapping[str, Sequence[int]]) -> str:
    """Return the shares of items by calibrated log-odds, as steps; [40] counts by name."""
    shares = {name: [count / max(1, sum(counts)) for count in counts]
              for name, counts in found.items()}  # fmt: skip
    marks = ticks(max((one for every in shares.values() for one in every), default=0.0) or 1.0)
    low, high = float(SCORE_EDGES[0]), float(SCORE_EDGES[-1])

    def x(log_odds: float) -> float:
        return _LEFT + (log_odds - low) / (high - low) * (_WIDE - _LEFT - _RIGHT)

    parts = [text(0, 14, title, ink="var(--ink)"), *_levels(marks, "%")]
    for chance in _PROBABILITIES:
        at = x(math.log(chance / (1 - chance)))
        parts += [line(at, _HIGH - _BELOW, at, _HIGH - _BELOW + 4),
                  text(at, _HIGH - 6, f"{chance:g}", "middle")]  # fmt: skip
    for place, every in enumerate(shares.values()):
        corners = [
            f"{x(edge):.1f},{_height(value, marks):.1f}"
            for start, value in enumerate(every)
            for edge in SCORE_EDGES[start : start + 2]
        ]
        fill = f'fill="var(--c{place % 6})" fill-opacity=".14"'
        ground = f"{_height(0, marks):.1f}"
        first, last = f"{x(low):.1f},{ground}", f"{x(high):.1f},{ground}"
        parts.append(f'<polygon points="{first} {" ".join(corners)} {last}" {fill} '
                     f'{look(place)} stroke-width="1.5"/>')  # fmt: skip
    return svg(_WIDE, _HIGH, "".join(parts) + _legend(list(found)), title)


def _height(value: float, marks: Sequence[float]) -> float:
    return _HIGH - _BELOW - value / marks[-1] * (_HIGH - _BELOW - _TOP)


def _levels(marks: Sequence[float], unit: str) -> list[str]:
    write, parts = axis_number(unit, marks[-1]), []
    for mark in marks:
        y = _height(mark, marks)
        parts += [line(_LEFT, y, _WIDE - _RIGHT, y), text(_LEFT - 6, y + 4, write(mark), "end")]
    return parts


def _legend(names: Sequence[str]) -> str:
    parts, x = [], 0.0
    for place, name in enumerate(names[:6]):
        short = name if len(name) <= 16 else f"{name[:8]}\N{HORIZONTAL ELLIPSIS}{name[-7:]}"
        parts.append(f'<path d="M{x:.0f} 28h20" fill="none" {look(place)} stroke-width="2"/>')
        parts.append(text(x + 25, 32, short, ink="var(--ink)"))
        x += 40 + 6.8 * len(short)
    return "".join(parts)


def _path(spots: Sequence[tuple[float, float] | None]) -> str:
    parts, begun = [], False
    for spot in spots:
        if spot is not None:
            parts.append(f"{'L' if begun else 'M'}{spot[0]:.1f} {spot[1]:.1f}")
            if not begun:
                parts.append("h.01")  # a value that stands alone is a dot
        begun = spot is not None
    return "".join(parts)


def _times(period: Period) -> list[tuple[int, str, str]]:
    """Return four times with their words and where those are fixed."""
    span = period.end_us - period.start_us
    form = "%H:%M" if period.seconds <= 36 * 3600 else "%d %b"
    places = ((0, "start"), (1, "middle"), (2, "middle"), (3, "end"))
    times = [(period.start_us + span * place // 3, anchor) for place, anchor in places]
    return [(at, datetime.fromtimestamp(at / 1e6, UTC).strftime(form), anchor)
            for at, anchor in times]  # fmt: skip
