"""An evaluation as one self-contained HTML page, to be read on screen and on paper."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from html import escape
from itertools import starmap

from matplotlib.figure import Figure

from deepfake_lightning.evaluation.plots import (
    figure_svg,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
    score_histogram_figure,
)
from deepfake_lightning.evaluation.report.record import Evaluation, Mistake
from deepfake_lightning.evaluation.report.section import Section
from deepfake_lightning.evaluation.report.sections import (
    facts,
    headline,
    mistake_score,
    sections,
)
from deepfake_lightning.evaluation.robustness.chart import robustness_figure
from deepfake_lightning.evaluation.robustness.record import Face
from deepfake_lightning.evaluation.words import share, span
from deepfake_lightning.metrics import Interval, sigmoid
from deepfake_lightning.pages import html_page, html_table
from deepfake_lightning.schemas.calibration import NOUNS, percent

_STYLE = """<style>
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.7rem;
margin:1rem 0}
.card{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem;break-inside:avoid}
.card b{display:block;font-size:1.6rem;line-height:1.2;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:.85rem;display:block}
.charts,.faces{margin:1rem 0}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:.7rem}
.charts img{width:100%;background:#fff;border-radius:.4rem;break-inside:avoid}
.faces{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.7rem}
.faces figure{margin:0;break-inside:avoid;font-size:.8rem}
.faces img{width:100%;border-radius:.3rem;display:block}
.faces .none{aspect-ratio:1;display:grid;place-items:center;border:1px dashed var(--line);
border-radius:.3rem;color:var(--soft)}
h2{break-after:avoid}
@media print{.charts{grid-template-columns:1fr 1fr}.cards{grid-template-columns:repeat(4,1fr)}}
</style>"""


def evaluation_page(found: Evaluation) -> str:
    """Return the page: HTML with its style and drawings inside, and nothing fetched."""
    body = [_STYLE, *_summary(found)]
    for one in sections(found):
        body += _section(one)
        if one.key == "metrics":
            body += _charts(found)
        if one.key == "robustness":
            body += _robustness(found)
        if one.key == "mistakes":
            body += _faces(found)
    return html_page("Evaluation", found.subject.name, facts(found), body)


def _summary(found: Evaluation) -> Iterator[str]:
    if found.subject.is_demo:
        yield (
            '<div class="finding error"><b>Demo</b><p>This detector was trained on drawn faces: its'
            " scores say nothing of real ones.</p></div>"
        )
    yield f'<div class="cards">{"".join(_cards(found))}</div>'
    yield from (f"<p>{escape(line)}</p>" for line in headline(found))
    if found.subject.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in found.subject.notes)
        yield f'<div class="finding warning"><b>To know</b><ul>{notes}</ul></div>'


def _cards(found: Evaluation) -> Iterator[str]:
    metrics = found.results["item"].metrics
    yield _card("AUROC", metrics["auroc"], "of all items" if len(found.kinds) > 1 else "of items")
    if not found.kinds:
        yield _card("equal error rate", metrics["eer"], "of items")
    for kind in found.kinds:
        noun = NOUNS[kind.kind] if kind.kind else "items"
        one = next(t for t in kind.thresholds if t.decides)
        at = "at probability 0.5" if kind.temperature is None else "at the operating threshold"
        yield _card(f"fake {noun} found", one.found, at, as_share=True)
        yield _card("false alarms", one.false_alarms, f"among real {noun}", as_share=True)
        about = f"where {percent(found.prevalence)} of {noun} are fake"
        precision = Interval(one.precision, None, None)
        yield _card("expected precision", precision, about, as_share=True)


def _card(name: str, one: Interval, about: str, *, as_share: bool = False) -> str:
    if as_share:
        value = share(one.value)
        ends = "" if one.low is None or one.high is None else (
            f"{100 * one.low:.1f} to {100 * one.high:.1f} %"
        )  # fmt: skip
    else:
        value = "undefined" if one.value is None else f"{one.value:.3f}"
        ends = span(one.low, one.high).strip("()")
    small = ", ".join(filter(None, [ends, about]))
    return f'<div class="card"><span>{name}</span><b>{value}</b><span>{escape(small)}</span></div>'


def _section(one: Section) -> Iterator[str]:
    yield f'<h2 id="{escape(one.key)}">{escape(one.title)}</h2>'
    yield from (f"<p>{escape(line)}</p>" for line in one.text)
    if one.rows:
        yield html_table(one.heads, one.rows, numbers=one.numbers)


def _charts(found: Evaluation) -> Iterator[str]:
    level = found.levels.item
    figures = {
        "ROC curve of items": roc_figure(level.logit, level.label),
        "Precision over recall of items": precision_recall_figure(level.logit, level.label),
    }
    if found.kinds:
        before, after = sigmoid(level.logit), sigmoid(found.calibrated)
        fitted = any(kind.temperature is not None for kind in found.kinds)
        figures["Reliability of items"] = (
            reliability_figure(after, level.label, before)
            if fitted
            else reliability_figure(before, level.label)
        )
        figures["Scores of items by class"] = score_histogram_figure(level.logit, level.label)
    yield f'<div class="charts">{"".join(starmap(_image, figures.items()))}</div>'


def _image(name: str, figure: Figure) -> str:
    """Return a figure as an image of its own: letters of two drawings may not share a name."""
    svg = b64encode(figure_svg(figure).encode()).decode()
    return f'<img alt="{escape(name)}" src="data:image/svg+xml;base64,{svg}">'


def _robustness(found: Evaluation) -> Iterator[str]:
    one = found.robustness
    if one is None or not one.results:
        return
    chart = _image("AUROC and errors under degradations", robustness_figure(one))
    yield f'<div class="charts">{chart}</div>'
    if one.faces:
        said = "of these items the one with the highest clean score, a fake where there is one"
        yield f"<p>What the network is shown of {escape(str(one.example))}, {said}:</p>"
        yield f'<div class="faces">{"".join(map(_degraded_face, one.faces))}</div>'


def _degraded_face(one: Face) -> str:
    shown = f'<div class="none">{escape(one.missing)}</div>'
    if one.picture is not None:
        source = f"data:image/jpeg;base64,{b64encode(one.picture).decode()}"
        shown = f'<img alt="{escape(one.words)}" src="{source}">'
    return f"<figure>{shown}<figcaption>{escape(one.words)}</figcaption></figure>"


def _faces(found: Evaluation) -> Iterator[str]:
    shown = [one for one in found.mistakes if one.picture is not None]
    if shown:
        yield f'<div class="faces">{"".join(map(_face, shown))}</div>'


def _face(one: Mistake) -> str:
    assert one.picture is not None
    source = f"data:image/jpeg;base64,{b64encode(one.picture).decode()}"
    caption = f"{('real', 'fake')[one.label]}, {mistake_score(one)}: {one.path}"
    return (
        f'<figure><img alt="{escape(one.item)}" src="{source}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
