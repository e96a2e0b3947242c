"""Charts of an explanation as inline SVG: the timeline of a track, curves, shuffled weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from deepfake_lightning.evaluation.explanation.curves import Faithfulness
from deepfake_lightning.evaluation.explanation.randomised import Randomised
from deepfake_lightning.evaluation.explanation.record import ExplainedItem
from deepfake_lightning.evaluation.explanation.timeline import TrackTimeline
from deepfake_lightning.evaluation.explanation.words import named
from deepfake_lightning.evaluation.svg import line, svg, text
from deepfake_lightning.evaluation.words import number
from deepfake_lightning.inference.verdicts import calibrated, probability

_WIDE, _LEFT, _RIGHT, _TOP, _HIGH, _BELOW = 640, 40, 12, 22, 130, 34
_SIDE = 230
Point = tuple[float, float]


def track_chart(item: ExplainedItem, track: TrackTimeline) -> str:
    """Return the scores of a track over time: its window shaded, explained frames filled."""
    faces = [item.found.faces[place] for place in track.faces]
    times = [_time(face.timestamp_ms, face.frame, at) for at, face in enumerate(faces)]
    low, high = _span(item)
    scores = [probability(calibrated(face.logit, item.calibration)) for face in faces]

    def at(time: float, score: float) -> Point:
        return (_LEFT + (time - low) / (high - low) * (_WIDE - _LEFT - _RIGHT),
                _TOP + (1 - score) * _HIGH)  # fmt: skip

    start, end = at(times[track.start], 0)[0] - 5, at(times[track.end - 1], 0)[0] + 5
    mean = probability(calibrated(track.logit, item.calibration))
    parts = [
        f'<rect x="{start:.1f}" y="{_TOP}" width="{end - start:.1f}" height="{_HIGH}"'
        ' fill="var(--c1)" fill-opacity=".16"/>',
        *_grid(at, low, high),
        line(start, at(0, mean)[1], end, at(0, mean)[1], "var(--c1)", 2),
        text(min(max(start, _LEFT), _WIDE - 190), _TOP - 8,
             f"window: mean of log-odds gives {number(mean)}", ink="var(--ink)"),
        _path([at(*point) for point in zip(times, scores, strict=True)], "var(--c0)"),
    ]  # fmt: skip
    explained = {face.place for face in item.faces}
    for place, point in zip(track.faces, zip(times, scores, strict=True), strict=True):
        fill = "var(--c0)" if place in explained else "var(--page)"
        x, y = at(*point)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}"'
                     ' stroke="var(--c0)" stroke-width="1.5"/>')  # fmt: skip
    about = f"score of {named(track.track)} over time"
    return svg(_WIDE, _TOP + _HIGH + _BELOW, "".join(parts), about, "broad")


def _time(timestamp_ms: int | None, frame: int | None, place: int) -> float:
    if timestamp_ms is not None:
        return timestamp_ms / 1000
    return float(place if frame is None else frame)


def _span(item: ExplainedItem) -> tuple[float, float]:
    """Return the first and last moment, the same for all tracks of an item."""
    faces = item.found.faces
    times = [_time(face.timestamp_ms, face.frame, at) for at, face in enumerate(faces)]
    return min(times), max(max(times), min(times) + 1e-3)


def _grid(at: Callable[[float, float], Point], low: float, high: float) -> list[str]:
    parts = []
    for score in (0, 0.5, 1):
        _, y = at(low, score)
        parts.append(line(_LEFT, y, _WIDE - _RIGHT, y, "var(--line)"))
        parts.append(text(_LEFT - 6, y + 4, f"{score:g}", "end", 11))
    for time in np.linspace(low, high, 5):
        x, y = at(float(time), 0)
        parts.append(text(x, y + 16, f"{time:.1f}", "middle", 11))
    parts.append(text(_WIDE / 2, _TOP + _HIGH + 31, "seconds", "middle", 11))
    return parts


def _path(points: Sequence[Point], colour: str, dashes: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    look = f'stroke="{colour}" stroke-dasharray="{dashes}"'
    return f'<polyline points="{path}" fill="none" {look} stroke-width="2"/>'


def curves_chart(curves: Sequence[Faithfulness]) -> str:
    """Return the mean curves of some faces, of one kind: by the map, the middle, at random."""
    left, bottom = 40, _TOP + _SIDE
    taken = "taken away" if curves[0].kind == "deletion" else "brought back"
    parts = [text(left, 13, f"{curves[0].kind}: mean of {len(curves)}", ink="var(--ink)")]
    for tick in (0, 0.5, 1):
        x, y = left + tick * _SIDE, bottom - tick * _SIDE
        parts += [line(left, y, left + _SIDE, y, "var(--line)"),
                  line(x, _TOP, x, bottom, "var(--line)"),
                  text(left - 6, y + 4, f"{tick:g}", "end", 11),
                  text(x, bottom + 15, f"{tick:g}", "middle", 11)]  # fmt: skip
    parts.append(text(left + _SIDE / 2, bottom + 31, f"share {taken}", "middle", 11))
    for order, colour, dashes in (("random", "var(--soft)", "2 3"), ("centre", "var(--c0)", "7 3"),
                                  ("map", "var(--c1)", "")):  # fmt: skip
        scores = np.mean([getattr(one, order).scores for one in curves], axis=0)
        shares = np.linspace(0, 1, len(scores))
        points = [
            (left + x * _SIDE, bottom - y * _SIDE) for x, y in zip(shares, scores, strict=True)
        ]
        parts.append(_path(points, colour, dashes))
    about = f"score over the share of the face that is {taken}"
    return svg(left + _SIDE + 12, bottom + 38, "".join(parts), about, "square")


def randomised_chart(stages: Sequence[Randomised]) -> str:
    """Return the correlations with maps of shuffled networks, from -1 to 1."""
    names, row = 170, 26
    middle, half = names + 210, 200.0
    bottom = 6 + row * len(stages)
    parts = []
    for tick in (-1, -0.5, 0, 0.5, 1):
        x = middle + half * tick
        parts.append(line(x, 4, x, bottom, "var(--soft)" if tick == 0 else "var(--line)"))
        parts.append(text(x, bottom + 15, f"{tick:g}", "middle", 11))
    for place, one in enumerate(stages):
        y = 4 + row * (place + 0.5)
        parts.append(text(names - 10, y + 4, one.shuffled, "end", ink="var(--ink)"))
        if one.correlation is None:
            parts.append(text(middle + 6, y + 4, "undefined"))
        else:
            x = middle + half * one.correlation
            parts.append(line(middle, y, x, y, "var(--c0)", 3))
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="var(--c0)"/>')
    about = "rank correlation with maps of the network with shuffled weights"
    return svg(middle + half + 20, bottom + 22, "".join(parts), about, "broad")
