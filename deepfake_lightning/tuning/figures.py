"""How a sweep went, and what mattered in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deepfake_lightning.tuning.record import SweepResult, TrialRecord

BEST, COMPLETE, GREY = "#D55E00", "#0072B2", "0.6"  # Okabe & Ito
_IMPORTANCES = 15


def history_figure(result: SweepResult) -> Figure:
    """Each trial's objective in the order of the trials, and the best so far."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    lower = result.direction == "minimize"
    axes.set(
        title=f"{result.study}: {result.objective} of each trial",
        xlabel="trial",
        ylabel=f"{result.objective} ({'lower' if lower else 'higher'} is better)",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    complete = [one for one in result.trials if one.state == "complete"]
    pruned = [one for one in result.trials if one.state == "pruned"]
    _dots(axes, complete, "o", COMPLETE, "complete: best epoch")
    _dots(axes, pruned, "x", GREY, "pruned: last epoch")
    if complete:
        values = np.array([float(one.value or 0.0) for one in complete])
        best = (np.minimum if lower else np.maximum).accumulate(values)
        axes.step([one.number for one in complete], best, where="post", color=BEST, lw=1.8,
                  label="best so far", zorder=1)  # fmt: skip
    if (default := result.default) is not None and default.value is not None:
        axes.plot(default.number, default.value, "s", ms=12, mfc="none", mec="black",
                  label="the base's own values")  # fmt: skip
    failed = [one for one in result.trials if one.state == "failed"]
    if failed:
        axes.plot([one.number for one in failed], [0.02] * len(failed), "v", color="black", ms=5,
                  transform=axes.get_xaxis_transform(), label="failed")  # fmt: skip
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return figure


def _dots(axes: Axes, trials: Sequence[TrialRecord], marker: str, colour: str, name: str) -> None:
    shown = [one for one in trials if one.value is not None]
    if shown:
        axes.plot([one.number for one in shown], [float(one.value or 0.0) for one in shown],
                  marker, color=colour, ms=6, label=f"{name} ({len(shown)})")  # fmt: skip


def importance_figure(result: SweepResult) -> Figure | None:
    """How much of the objective's variance each key explains; None where it is not known."""
    if not result.importance:
        return None
    held = list(result.importance.items())[:_IMPORTANCES][::-1]
    figure = Figure(figsize=(7.2, 1.6 + 0.38 * len(held)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([key for key, _ in held], [share for _, share in held], color=COMPLETE)
    axes.bar_label(bars, fmt=lambda share: f"{share:.0%}", padding=4)
    count = sum(one.state == "complete" for one in result.trials)
    axes.set(
        title=f"{result.study}: what {result.objective} depends on ({count} complete trials)",
        xlabel="share of its variance within the space (fANOVA)",
    )
    axes.set_xlim(0, max(share for _, share in held) * 1.15)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
