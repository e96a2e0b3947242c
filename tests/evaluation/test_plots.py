import io
import itertools
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.evaluation import plots
from deepfake_lightning.metrics import auroc, equal_error_rate, sigmoid

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 400)
LOGITS = RNG.normal(size=400) * 2 + 2 * LABELS - 1
EMPTY = np.zeros(0), np.zeros(0, dtype=int)


def pixels(figure: Figure) -> np.ndarray:
    """What a reader sees; drawing also runs the layout, which fails late if at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="raw")
    width, height = (round(side * figure.dpi) for side in figure.get_size_inches())
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(height, width, -1)


def words(figure: Figure) -> str:
    texts = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return "\n".join(text.get_text() for text in texts)


def test_roc_figure_shows_the_curve_and_its_numbers():
    figure = plots.roc_figure(LOGITS, LABELS)
    assert pixels(figure).shape[:2] == (480, 640)
    shown = words(figure)
    assert f"AUC = {auroc(LOGITS, LABELS):.3f}" in shown
    eer = equal_error_rate(LOGITS, LABELS)
    assert f"EER = {100 * eer:.1f} %" in shown
    assert f"n = 400 ({400 - LABELS.sum()} real, {LABELS.sum()} fake)" in shown
    _, curve, mark = figure.axes[0].lines
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(
        auroc(LOGITS, LABELS)
    )
    # The mark lies on the curve, which is what the reader takes it for.
    assert (
        np.hypot(
            curve.get_xdata() - mark.get_xdata()[0], curve.get_ydata() - mark.get_ydata()[0]
        ).min()
        < 0.01
    )


def test_a_long_curve_is_thinned_but_keeps_its_ends():
    labels = np.arange(50_000) % 2
    figure = plots.roc_figure(RNG.normal(size=50_000) + labels, labels)
    curve = figure.axes[0].lines[1]
    assert len(curve.get_xdata()) <= 2000
    assert curve.get_xydata()[[0, -1]].tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("label", [0, 1])
def test_one_class(label):
    labels = np.full(400, label)
    roc = plots.roc_figure(LOGITS, labels)
    assert "undefined: only one class" in words(roc)
    assert "AUC" not in words(roc)
    reliability = plots.reliability_figure(sigmoid(LOGITS), labels)
    assert "only one class" in words(reliability)
    histogram = plots.score_histogram_figure(LOGITS, labels)
    assert f"{('real', 'fake')[1 - label]}, n = 0" in words(histogram)
    for figure in (roc, reliability, histogram):
        pixels(figure)


@pytest.mark.parametrize(
    "draw", [plots.roc_figure, plots.reliability_figure, plots.score_histogram_figure]
)
def test_no_samples(draw, recwarn):
    figure = draw(*EMPTY)
    assert "undefined: no samples" in words(figure)
    pixels(figure)
    assert not recwarn.list


def test_reliability_figure_counts_every_sample():
    figure = plots.reliability_figure(sigmoid(LOGITS), LABELS)
    assert pixels(figure).shape[:2] == (480, 640)
    axes, below = figure.axes
    assert sum(bar.get_height() for bar in below.patches) == 400
    assert "ECE = " in words(figure) and "Brier = " in words(figure)
    assert "only one class" not in words(figure)
    assert len(axes.lines[1].get_xdata()) == 10


def test_histogram_holds_extreme_logits_and_says_so(recwarn):
    logits = LOGITS.copy()
    logits[:4] = 1e4, -1e4, 300, -300
    figure = plots.score_histogram_figure(logits, LABELS)
    axes = figure.axes[0]
    assert axes.get_xlim() == (-15, 15)
    assert "4 beyond the ends" in axes.get_xlabel()
    for stairs in axes.patches:
        values, _, _ = stairs.get_data()
        assert values.sum() == pytest.approx(1)
    assert "beyond" not in plots.score_histogram_figure(LOGITS, LABELS).axes[0].get_xlabel()
    pixels(figure)
    assert not recwarn.list


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1, 5, 100])
def test_histogram_names_the_probabilities_at_their_logits(scale):
    figure = plots.score_histogram_figure(LOGITS * scale, LABELS)
    pixels(figure)
    top = figure.axes[0].child_axes[0]
    places, names = top.get_xticks(), [text.get_text() for text in top.get_xticklabels()]
    assert "0.5" in names and len(names) >= 3
    assert sigmoid(places) == pytest.approx([float(name) for name in names])
    boxes = sorted(
        (text.get_window_extent().x0, text.get_window_extent().x1) for text in top.get_xticklabels()
    )
    assert all(right <= left for (_, right), (left, _) in itertools.pairwise(boxes))


def test_contact_sheet_lays_out_pictures_and_captions():
    images = np.zeros((5, 16, 24, 3), np.uint8)
    images[:, ..., 0] = 10 * np.arange(5)[:, None, None]
    captions = ["clip$_$1.mp4", "b", "c", "d\nsecond line", "word " * 60]
    figure = plots.contact_sheet(images, captions, columns=3)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(figure.axes) == 6 and len(shown) == 5
    for axes, picture in zip(shown, images, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), picture)
    labels = [axes.get_xlabel() for axes in shown]
    assert labels[:4] == captions[:4]
    assert labels[4].endswith("...") and labels[4].count("\n") == 3
    height = pixels(figure).shape[0]
    for axes in shown:
        box = axes.xaxis.label.get_window_extent()
        assert box.y0 >= 0 and box.y1 <= height


def test_contact_sheet_of_one_and_of_none():
    one = plots.contact_sheet(np.zeros((1, 4, 4, 3), np.uint8), ["a"], columns=8)
    assert len(one.axes) == 1
    none = plots.contact_sheet(np.zeros((0, 4, 4, 3), np.uint8), [], columns=8)
    assert "no images" in words(none)
    pixels(one), pixels(none)


def test_contact_sheet_refuses_what_it_cannot_show():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(DataError, match="float64"):
        plots.contact_sheet(images / 255, ["a", "b"], 2)
    with pytest.raises(DataError, match="uint8"):
        plots.contact_sheet(images.transpose(0, 3, 1, 2), ["a", "b"], 2)
    with pytest.raises(DataError, match="1 captions do not match 2 images"):
        plots.contact_sheet(images, ["a"], 2)
    with pytest.raises(UsageError):
        plots.contact_sheet(images, ["a", "b"], 0)


def test_pyplot_is_never_loaded():
    code = (
        "import sys, numpy as np; from deepfake_lightning.evaluation import plots;"
        "plots.roc_figure(np.array([0., 1.]), np.array([0, 1])).savefig(sys.stderr.buffer);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
