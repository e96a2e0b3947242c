"""All trials as lines through their values, coloured by what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepfake_lightning.tuning.record import SweepResult, TrialRecord
from deepfake_lightning.tuning.space import Value

_TICKS = 5
_LONGEST_LABEL = 18


@dataclass(frozen=True)
class Axis:
    """One upright axis.

    Attributes:
        name: of the key.
        places: float [trials], 0 at the bottom and 1 at the top.
        ticks: place and label.
    """

    name: str
    places: NDArray[np.float64]
    ticks: Sequence[tuple[float, str]]


def parallel_figure(result: SweepResult) -> Figure | None:
    """Draw complete trials in colour, the best on top, and pruned ones in grey behind.

    Keys stand by importance, the objective last. None before two trials are complete.
    """
    complete = result.ranked[::-1]  # the best is drawn last
    pruned = [one for one in result.trials if one.state == "pruned"]
    if len(complete) < 2:
        return None
    trials = [*pruned, *complete]
    keys = sorted(complete[0].values, key=lambda key: -result.importance.get(key, 0.0))
    axes_of = [_axis(key, [one.values[key] for one in trials], key in result.log_keys)
               for key in keys]  # fmt: skip
    axes_of.append(_axis(result.objective, [one.value for one in trials], False))
    figure = Figure(figsize=(max(7.2, 1.7 * len(axes_of)), 4.6), layout="constrained")
    axes = figure.add_subplot()
    values = np.array([float(one.value or 0.0) for one in complete])
    colours = Normalize(values.min(), values.max() if values.max() > values.min() else None)
    name = "viridis" if result.direction == "maximize" else "viridis_r"
    _lines(axes, trials, axes_of, colours, name)
    for place, one in enumerate(axes_of):
        _upright(axes, place, one)
    axes.set_xlim(-0.25, len(axes_of) - 0.55)
    axes.set_ylim(-0.05, 1.05)
    axes.set_xticks(range(len(axes_of)), [_broken(one.name) for one in axes_of])
    axes.tick_params(axis="x", length=0, pad=8)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    grey = f"; {len(pruned)} pruned ones in grey" if pruned else ""
    axes.set_title(f"{result.study}: {len(complete)} complete trials, the best thick{grey}")
    figure.colorbar(ScalarMappable(colours, name), ax=axes, label=result.objective, pad=0.01)
    return figure


def _lines(
    axes: Axes, trials: Sequence[TrialRecord], axes_of: Sequence[Axis], colours: Normalize,
    name: str,
) -> None:  # fmt: skip
    across = range(len(axes_of))
    for number, one in enumerate(trials):
        line = [axis.places[number] for axis in axes_of]
        if one.state == "pruned":
            axes.plot(across, line, color="0.8", lw=1, zorder=1)
            continue
        colour = colormaps[name](colours(float(one.value or 0.0)))
        is_best = number == len(trials) - 1
        axes.plot(across, line, color=colour, lw=3.5 if is_best else 1.4, zorder=2, alpha=0.95)


def _upright(axes: Axes, place: int, one: Axis) -> None:
    axes.plot([place, place], [0, 1], color="0.25", lw=1, zorder=3)
    for height, label in one.ticks:
        axes.plot([place - 0.02, place], [height, height], color="0.25", lw=1, zorder=3)
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6}
        axes.text(place - 0.035, height, label, ha="right", va="center", fontsize=8, bbox=box,
                  zorder=4)  # fmt: skip


def _axis(name: str, values: Sequence[Value], log: bool) -> Axis:
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        return _of_numbers(name, np.array(values, np.float64), log)
    labels = sorted({_label(one) for one in values})
    heights = {label: (place + 0.5) / len(labels) for place, label in enumerate(labels)}
    places = np.array([heights[_label(one)] for one in values])
    return Axis(name, places, [(height, label) for label, height in heights.items()])


def _of_numbers(name: str, values: NDArray[np.float64], log: bool) -> Axis:
    scaled = np.log10(values) if log else values
    low, high = float(scaled.min()), float(scaled.max())
    if high == low:
        return Axis(name, np.full(len(values), 0.5), [(0.5, f"{values[0]:.3g}")])
    different = np.unique(values)
    shown = different if len(different) <= _TICKS else None
    if shown is None:
        spread = np.linspace(low, high, _TICKS)
        shown = 10**spread if log else spread
    heights = ((np.log10(shown) if log else shown) - low) / (high - low)
    ticks = [(float(h), f"{value:.3g}") for h, value in zip(heights, shown, strict=True)]
    return Axis(name, (scaled - low) / (high - low), ticks)


def _label(value: Value) -> str:
    text = {None: "null", True: "true", False: "false"}.get(value) if (
        value is None or isinstance(value, bool)
    ) else str(value)  # fmt: skip
    text = str(text)
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def _broken(name: str) -> str:
    """Return ``model.lr`` in two lines, so that neighbours do not touch."""
    group, dot, key = name.rpartition(".")
    return f"{group}.\n{key}" if dot else name.replace("/", "/\n", 1)
