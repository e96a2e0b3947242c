"""The difference of two versions as the labels came, as inline SVG in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from deepfake_lightning.deployment.experiments.decision import Point
from deepfake_lightning.deployment.experiments.experiment import Experiment

_WIDE, _HIGH, _LEFT, _BELOW, _TOP = 480, 240, 48, 34, 10


def difference_chart(path: Sequence[Point], experiment: Experiment) -> str:
    """Return a chart: number of labels to the right, difference up, with its band.

    Args:
        path: one point or more, in order.
        experiment: whose; points of percent for verdicts.
    """
    factor = 100 if experiment.policy.metric == "correct" else 1
    reach = _reach(path, experiment.policy.margin) * factor
    first, last = path[0].labels, path[-1].labels

    def x(labels: int) -> float:
        part = (labels - first) / (last - first) if last > first else 0.5
        return _LEFT + part * (_WIDE - _LEFT - 12)

    def y(value: float) -> float:
        shown = min(max(value * factor, -reach), reach)
        return _TOP + (1 - shown / reach) / 2 * (_HIGH - _TOP - _BELOW)

    margin = experiment.policy.margin
    band = [(x(one.labels), y(one.high)) for one in path]
    band += [(x(one.labels), y(one.low)) for one in reversed(path)]
    line = " ".join(f"{x(one.labels):.1f},{y(one.difference):.1f}" for one in path)
    parts = [
        f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in band)}" fill="var(--bar)"'
        ' opacity="0.25"/>',
        _rule(y(0), "var(--soft)"),
        *(_rule(y(side * margin), "var(--soft)", "4 4") for side in (1, -1) if margin),
        f'<polyline points="{line}" fill="none" stroke="var(--note)" stroke-width="2"/>',
        *(_text(_LEFT - 6, y(side * reach / factor) + 4, f"{side * reach:+.3g}" if side else "0",
                "end") for side in (1, 0, -1)),
        _text(_LEFT, _HIGH - 10, f"{first:,}", "start"),
        _text(_WIDE - 12, _HIGH - 10, f"{last:,} labels", "end"),
    ]  # fmt: skip
    unit = "percentage points" if factor == 100 else "units of the metric"
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" style="max-width:38rem"'
        f' aria-label="difference in {unit}, after each label">{"".join(parts)}</svg>'
    )


def _reach(path: Sequence[Point], margin: float) -> float:
    """Return a round number that holds the later half of the band; the start is wide."""
    later = path[len(path) // 2 :]
    most = max(*(abs(v) for one in later for v in (one.low, one.high)), margin, 0.001)
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _rule(y: float, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDE - 12}" y2="{y:.1f}" stroke="{colour}"'
            f"{dashed}/>")  # fmt: skip


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="13"'
            f' fill="var(--soft)">{text}</text>')  # fmt: skip
