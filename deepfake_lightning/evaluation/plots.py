"""Figures of a detector's results, 640 x 480 pixels unless they hold pictures.

Every function returns a ``matplotlib.figure.Figure`` that the caller saves or logs. pyplot is
never used: it would keep each figure alive and may look for a display. Labels are 0 for real and
1 for fake; the colours (Okabe & Ito) differ for colour-blind readers and in grey.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics import (
    auroc,
    average_precision,
    brier,
    equal_error_rate,
    expected_calibration_error,
    reliability,
    roc_curve,
)
from deepfake_lightning.metrics.checks import Float64Array, FloatArray, IntArray, check_pairs

REAL_COLOUR = "#0072B2"
FAKE_COLOUR = "#D55E00"
_GUIDE: dict[str, Any] = {"color": "0.55", "linestyle": "--", "linewidth": 1.0}
_MAX_CURVE_POINTS = 2000  # more than pixels; a million points make a slow, heavy figure
_LOGIT_LIMIT = 15.0  # 3e-7 from certainty; a few wild logits would squeeze the rest into one bin
# The most telling first: where the axis is crowded the later ones give way.
_PROBABILITIES = ("0.5", "0.1", "0.9", "0.01", "0.99", "1e-4", "0.9999", "0.3", "0.7", "1e-6")


def _figure(size: tuple[float, float] = (6.4, 4.8)) -> Figure:
    return Figure(figsize=size, dpi=100, layout="constrained")


def _counts(labels: IntArray) -> str:
    fakes = int(np.count_nonzero(labels))
    return f"n = {labels.size:,} ({labels.size - fakes:,} real, {fakes:,} fake)"


def _note(axes: Axes, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": "0.7", "boxstyle": "round,pad=0.5"}
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, bbox=box)


def _unit_square(axes: Axes) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.grid(alpha=0.3)


def _why_undefined(labels: IntArray) -> str:
    return "undefined: only one class" if labels.size else "undefined: no samples"


def _square(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = _figure()
    axes = figure.add_subplot()
    _unit_square(axes)
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _kept(points: int) -> NDArray[np.intp]:
    """Return the positions of a curve's points that are drawn."""
    return np.unique(np.linspace(0, points - 1, _MAX_CURVE_POINTS).astype(np.intp))


def roc_figure(scores: FloatArray, labels: IntArray) -> Figure:
    """ROC curve with AUC and equal error rate.

    Args:
        scores: float [N], logits or probabilities, higher means fake.
        labels: integer [N].
    """
    figure, axes = _square(
        "ROC curve",
        "False-positive rate (real called fake)",
        "True-positive rate (fake called fake)",
    )
    axes.plot([0, 1], [0, 1], label="chance", **_GUIDE)
    curve, area, eer = roc_curve(scores, labels), auroc(scores, labels), None
    if curve is not None:
        eer = equal_error_rate(scores, labels)
    if curve is None or area is None or eer is None:
        _note(axes, f"{_why_undefined(labels)}\n{_counts(labels)}")
        return figure
    kept = _kept(curve[0].size)
    axes.plot(curve[0][kept], curve[1][kept], color=REAL_COLOUR, lw=2, label=f"AUC = {area:.3f}")
    axes.plot([eer], [1 - eer], "o", color=FAKE_COLOUR, label=f"EER = {100 * eer:.1f} %")
    axes.legend(loc="lower right", title=_counts(labels), alignment="left")
    return figure


def precision_recall_figure(scores: FloatArray, labels: IntArray) -> Figure:
    """Precision over recall, with average precision and the precision of calling all fake.

    Args:
        scores: float [N], logits or probabilities, higher means fake.
        labels: integer [N].
    """
    figure, axes = _square(
        "Precision and recall",
        "Recall (share of the fakes that is found)",
        "Precision (share of what is called fake that is)",
    )
    curve, average = roc_curve(scores, labels), average_precision(scores, labels)
    if curve is None or average is None:
        _note(axes, f"{_why_undefined(labels)}\n{_counts(labels)}")
        return figure
    share = float(np.mean(labels))
    axes.axhline(share, label=f"all called fake: {share:.3f}", **_GUIDE)
    fpr, tpr = curve[0][1:], curve[1][1:]  # without the point where nothing is called fake
    precision = share * tpr / (share * tpr + (1 - share) * fpr)
    kept = _kept(tpr.size)
    # Steps, as average precision sums them: between two scores there is no threshold.
    axes.step(
        np.append(0, tpr[kept]), np.append(precision[0], precision[kept]), where="pre",
        color=REAL_COLOUR, lw=2, label=f"AP = {average:.3f}",
    )  # fmt: skip
    axes.legend(loc="lower left", title=_counts(labels), alignment="left")
    return figure


def reliability_figure(
    probabilities: FloatArray, labels: IntArray, uncalibrated: FloatArray | None = None
) -> Figure:
    """Reliability diagram over ten bins, and below it how many samples each bin holds.

    Args:
        probabilities: float [N] in [0, 1], probability of fake.
        labels: integer [N].
        uncalibrated: float [N] in [0, 1], the same before calibration; drawn behind.
    """
    curve = reliability(probabilities, labels)
    error, score = expected_calibration_error(probabilities, labels), brier(probabilities, labels)
    figure = _figure()
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _unit_square(axes)
    axes.set(title="Reliability diagram", ylabel="Observed share of fakes")
    below.set(xlabel="Predicted probability of fake", ylabel="Samples")
    axes.plot([0, 1], [0, 1], label="perfectly calibrated", **_GUIDE)
    if curve is None or error is None or score is None:
        _note(axes, _why_undefined(labels))
        return figure
    name = f"detector: ECE = {error:.3f}, Brier = {score:.3f}"
    if uncalibrated is not None:
        name = f"calibrated: ECE = {error:.3f}, Brier = {score:.3f}"
        _before(axes, uncalibrated, labels)
    axes.plot(
        curve.mean_predicted, curve.observed_fraction, "o-", color=REAL_COLOUR, lw=2, label=name
    )
    both = 0 < np.count_nonzero(labels) < labels.size
    warning = "" if both else "\nonly one class: says nothing about the other"
    axes.legend(loc="upper left", title=_counts(labels) + warning, alignment="left")
    below.hist(np.asarray(probabilities), bins=10, range=(0, 1), color="0.6", edgecolor="white")
    return figure


def _before(axes: Axes, probabilities: FloatArray, labels: IntArray) -> None:
    curve = reliability(probabilities, labels)
    error, score = expected_calibration_error(probabilities, labels), brier(probabilities, labels)
    if curve is not None:
        axes.plot(
            curve.mean_predicted, curve.observed_fraction, "s:", color=FAKE_COLOUR, lw=1.5,
            label=f"before: ECE = {error:.3f}, Brier = {score:.3f}",
        )  # fmt: skip


def figure_svg(figure: Figure) -> str:
    """Return a figure as an SVG image to stand in a page, its letters drawn: no font is needed."""
    buffer = BytesIO()
    with rc_context({"svg.hashsalt": "deepfake_lightning"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue().decode()
    return text[text.index("<svg") :]


def score_histogram_figure(logits: FloatArray, labels: IntArray) -> Figure:
    """How the scores of the two classes spread, as shares of each class in bins they share.

    Logits beyond +-15 are counted in the outermost bins, which the axis label then says.

    Args:
        logits: float [N], log-odds of fake.
        labels: integer [N].
    """
    values, fake = check_pairs(logits, labels, "logits")
    figure = _figure()
    axes = figure.add_subplot()
    axes.set(ylabel="Share of the class")
    figure.suptitle("Scores by class")
    low, high = _logit_range(values)
    beyond = int(np.count_nonzero((values < low) | (values > high)))
    note = f"; {beyond:,} beyond the ends in the last bins" if beyond else ""
    axes.set(xlim=(low, high), xlabel=f"Logit of fake (log-odds{note})")
    _probability_axis(axes, low, high)
    if not values.size:
        _note(axes, _why_undefined(labels))
        return figure
    edges = np.linspace(low, high, 41)
    for name, chosen, colour, hatch in (
        ("real", ~fake, REAL_COLOUR, ""),
        ("fake", fake, FAKE_COLOUR, "///"),
    ):
        counts = np.histogram(np.clip(values[chosen], low, high), edges)[0]
        samples = int(np.count_nonzero(chosen))
        share = counts / max(1, samples)
        label = f"{name}, n = {samples:,}"
        axes.stairs(
            share, edges, fill=True, fc=(colour, 0.35), ec=colour, lw=1.5, hatch=hatch, label=label
        )
    axes.axvline(0.0, **_GUIDE)
    axes.legend(loc="best")
    return figure


def _logit_range(values: Float64Array) -> tuple[float, float]:
    """Range of the axis: holds 0 and all values within the limit, at least 1 to either side."""
    inside = np.clip(values, -_LOGIT_LIMIT, _LOGIT_LIMIT)
    return float(np.min(inside, initial=-1.0)), float(np.max(inside, initial=1.0))


def _probability_axis(axes: Axes, low: float, high: float) -> None:
    """Second scale on top: the probabilities that the logits stand for, without crowding."""
    places: list[float] = []
    names: list[str] = []
    for name in _PROBABILITIES:
        place = float(np.log(float(name)) - np.log1p(-float(name)))
        apart = min((abs(place - other) for other in places), default=high - low)
        if low <= place <= high and apart > 0.06 * (high - low):
            places.append(place)
            names.append(name)
    top = axes.secondary_xaxis("top")
    top.set_xticks(places, names)
    top.set_xlabel("Probability of fake")


def contact_sheet(images: NDArray[np.uint8], captions: Sequence[str], columns: int) -> Figure:
    """Pictures in rows with a caption under each: an augmented batch, the worst mistakes.

    Args:
        images: uint8 [N, H, W, 3], RGB.
        captions: N texts; line breaks are kept, long lines wrapped, four lines shown.
        columns: pictures per row, at least 1.
    """
    pixels: NDArray[Any] = np.asarray(images)
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
        raise DataError(f"expected uint8 [N, H, W, 3], not {pixels.dtype} {pixels.shape}")
    if len(captions) != len(pixels):
        raise DataError(f"{len(captions)} captions do not match {len(pixels)} images")
    if columns < 1:
        raise UsageError(f"a contact sheet needs at least one column, not {columns}")
    across = max(1, min(columns, len(pixels)))
    down = max(1, -(-len(pixels) // across))
    figure = _figure((1.7 * across, 2.1 * down))
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(pixels) :]:
        axes.set_axis_off()
    if not len(pixels):
        _note(grid[0], "no images")
    for axes, picture, caption in zip(grid, pixels, captions, strict=False):
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        # As an axis label the caption is part of the layout, so the last row is not cut off;
        # a dollar sign in a file name is no formula.
        axes.set_xlabel(_wrapped(caption), fontsize=7, parse_math=False)
    return figure


def _wrapped(caption: str, width: int = 26, lines: int = 4) -> str:
    wrapped = [part for line in caption.splitlines() for part in textwrap.wrap(line, width)]
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], wrapped[lines - 1][: width - 4] + " ..."]
    return "\n".join(wrapped)
