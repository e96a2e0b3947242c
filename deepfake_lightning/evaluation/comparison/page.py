"""A comparison as one self-contained HTML page: verdict first, then figures, charts and method."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from deepfake_lightning.evaluation.comparison.disagreement import placed
from deepfake_lightning.evaluation.comparison.record import LEVEL, Comparison
from deepfake_lightning.evaluation.comparison.svg import MOST_POINTS, STYLE, forest, roc, scatter
from deepfake_lightning.evaluation.comparison.tables import (
    detector_rows,
    difference_rows,
    disagreement_rows,
    left_out_rows,
    matching,
    matrix_rows,
    metric_rows,
    names_of,
    ranks,
)
from deepfake_lightning.evaluation.comparison.words import METHOD, basis
from deepfake_lightning.metrics import sigmoid
from deepfake_lightning.pages import html_page, html_table

_SCATTERS = 4
_KIND = {"better": "note", "worse": "error", "cannot tell": "warning"}


def comparison_page(found: Comparison) -> str:
    """Return the page: HTML with its style and drawings inside, and nothing fetched."""
    about = " and ".join([", ".join(names[:-1]), names[-1]] if (names := names_of(found)) else [])
    facts = f"{basis(found.counts)}, each scored by all. The first is what others are held against."
    body = [STYLE, *_verdicts(found), *_metrics(found), *_forests(found), *_matrix(found),
            *_curves(found), *_scatters(found), *_disagreements(found), *_left_out(found),
            *_method(found)]  # fmt: skip
    return html_page("Comparison", about, facts, body)


def _verdicts(found: Comparison) -> Iterable[str]:
    yield "<h2>Verdict</h2>"
    for pair in found.with_baseline:
        kind = pair.headline.verdict
        yield f'<div class="finding {_KIND[kind]}"><b>{kind}</b>'
        yield f"<p>{escape(found.says(pair))}</p></div>"
    yield "<ul>"
    for note in found.notes:
        yield f"<li>{escape(note)}</li>"
    for one in found.detectors:
        for note in one.notes:
            yield f"<li>{escape(f'{one.name}: {note}')}</li>"
    yield "</ul>"


def _metrics(found: Comparison) -> Iterable[str]:
    yield "<h2>Metrics</h2>"
    heads, rows = metric_rows(found)
    yield html_table(heads, rows)
    yield f'<p class="soft">With {LEVEL:.0%} intervals over groups.</p>'


def _forests(found: Comparison) -> Iterable[str]:
    yield "<h2>Differences</h2>"
    for pair in found.with_baseline:
        if len(found.pairs) > 1:
            yield f"<h3>{escape(pair.b)} against {escape(pair.a)}</h3>"
        yield forest(pair.differences, pair.a, pair.b)
        heads, rows = difference_rows(pair)
        yield html_table(heads, rows)
    yield (
        '<p class="soft">In the chart, metrics of which lower is better are mirrored: to the right'
        " is always better. Log loss, in nats, has a scale of its own. Grey is what cannot be"
        " told.</p>"
    )


def _matrix(found: Comparison) -> Iterable[str]:
    if len(found.detectors) < 3:
        return
    yield "<h2>All pairs</h2>"
    heads, rows = matrix_rows(found)
    yield html_table(heads, rows)
    yield (
        '<p class="soft">AUROC of the row less that of the column. Holm&#39;s correction runs over'
        f" the {found.tests} tests of all pairs and metrics on this page together.</p>"
    )


def _curves(found: Comparison) -> Iterable[str]:
    yield "<h2>ROC curves</h2>"
    drawn = roc(found.items.logits, found.items.labels, names_of(found))
    yield drawn or "<p>Undefined: there are no items of both classes.</p>"


def _scatters(found: Comparison) -> Iterable[str]:
    logits, labels, names = found.items.logits, found.items.labels, names_of(found)
    scores = placed(logits) if ranks(found) else sigmoid(logits)
    yield "<h2>Item by item</h2>"
    yield f'<p class="soft">A score is {escape(found.apart_by.partition(";")[0])}.'
    if len(labels) > MOST_POINTS:
        yield f" {MOST_POINTS:,} of {len(labels):,} items are drawn, taken at random."
    if len(names) - 1 > _SCATTERS:
        yield f" Of {len(names) - 1} detectors the first {_SCATTERS} are drawn."
    yield "</p>"
    for place in range(1, min(len(names), _SCATTERS + 1)):
        yield scatter(scores[0], scores[place], labels, (names[0], names[place]))


def _disagreements(found: Comparison) -> Iterable[str]:
    yield "<h2>Where they disagree most</h2>"
    if not found.disagreements:
        yield "<p>Nowhere: all scores are the same.</p>"
        return
    heads, rows = disagreement_rows(found)
    yield html_table(heads, rows, numbers=range(3, len(heads)))
    yield f'<p class="soft">A score is {escape(found.apart_by)}.</p>'


def _left_out(found: Comparison) -> Iterable[str]:
    yield "<h2>What was compared</h2>"
    yield html_table(*detector_rows(found))
    yield f"<p>{escape(matching(found))}</p>"
    heads, rows = left_out_rows(found)
    if rows:
        yield "<p>Not compared:</p>"
        yield html_table(heads, rows, numbers=(2,))
    else:
        yield "<p>Nothing was left out.</p>"


def _method(found: Comparison) -> Iterable[str]:
    yield "<h2>Method</h2>"
    for paragraph in METHOD:
        yield f'<p class="soft">{escape(paragraph)}</p>'
    yield f'<p class="soft">{found.draws:,} resamples, seed {found.seed}.</p>'
