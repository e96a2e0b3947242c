"""The chart of robustness: a row a degradation, families together, from mild to severe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepfake_lightning.evaluation.plots import FAKE_COLOUR, REAL_COLOUR
from deepfake_lightning.evaluation.robustness.record import Change, DegradedResult, Robustness
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.metrics import Interval

_BAND = "0.88"


def robustness_figure(found: Robustness) -> Figure:
    """Draw AUROC with intervals, and beside it the errors at the threshold where there is one.

    Dashed lines are the values of the same items as they are.
    """
    order = list(DEGRADATIONS)
    rows = sorted(found.results, key=lambda one: order.index(one.key))
    panels = 2 if found.decides else 1
    size = (4.2 + 2.9 * panels, 1.1 + 0.27 * max(len(rows), 1))
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    axes[0].set_yticks(range(len(rows)), [one.words for one in rows], fontsize=8)
    axes[0].invert_yaxis()
    _marks(axes[0], rows, lambda one: one.auroc, found.auroc, "#333333", "o", 0.0, "AUROC")
    axes[0].set_xlabel("AUROC of items (95 %)")
    if found.decides:
        _marks(axes[1], rows, lambda one: one.false_alarms, found.false_alarms, REAL_COLOUR, "o",
               -0.16, "false alarms among reals")  # fmt: skip
        _marks(axes[1], rows, lambda one: one.missed, found.missed, FAKE_COLOUR, "s", 0.16,
               "missed fakes")  # fmt: skip
        axes[1].set_xlabel("Share at the threshold (95 %)")
        axes[1].set_xlim(-0.02, 1.02)
        figure.legend(*axes[1].get_legend_handles_labels(), loc="outside upper right", ncols=2,
                      fontsize=8, frameon=False)  # fmt: skip
    for one in axes:
        _families(one, rows)
        one.grid(axis="x", alpha=0.3)
        one.tick_params(labelsize=8)
        one.tick_params(axis="y", length=0)
    return figure


def _marks(
    axes: Axes, rows: Sequence[DegradedResult], rate: Callable[[DegradedResult], Change],
    clean: Interval, colour: str, marker: str, shift: float, label: str,
) -> None:  # fmt: skip
    if clean.value is not None:
        axes.axvline(clean.value, color=colour, linestyle="--", linewidth=1.0, alpha=0.7)
    for place, row in enumerate(rows):
        one = rate(row).degraded
        if one.value is None:
            continue
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [place + shift] * 2, color=colour, lw=1.5)
        named = label if not axes.get_legend_handles_labels()[1].count(label) else None
        axes.plot([one.value], [place + shift], marker, color=colour, ms=4.5, label=named,
                  linestyle="none")  # fmt: skip


def _families(axes: Axes, rows: Sequence[DegradedResult]) -> None:
    """Tint every other family."""
    names = list(dict.fromkeys(row.family for row in rows))
    for place, row in enumerate(rows):
        if names.index(row.family) % 2 == 0:
            axes.axhspan(place - 0.5, place + 0.5, color=_BAND, alpha=0.5, lw=0, zorder=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
