"""An explanation as one self-contained HTML page: what it is not comes first."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape

from deepfake_lightning.evaluation.comparison.svg import STYLE as COLOURS
from deepfake_lightning.evaluation.explanation.charts import (
    curves_chart,
    randomised_chart,
    track_chart,
)
from deepfake_lightning.evaluation.explanation.curves import KINDS
from deepfake_lightning.evaluation.explanation.pictures import (
    LOWERS,
    NEITHER,
    RAISES,
    SIDE,
    heat_picture,
    jpeg,
    on_face,
    png,
)
from deepfake_lightning.evaluation.explanation.record import (
    ExplainedFace,
    ExplainedItem,
    Explanation,
)
from deepfake_lightning.evaluation.explanation.words import (
    CURVES,
    MEANING,
    METHODS,
    NAMES,
    PERMITS,
    RANDOMISED,
    checked_line,
    mean_area,
    named,
    randomised_line,
    verdict_line,
    when,
)
from deepfake_lightning.evaluation.words import counted, number, signed
from deepfake_lightning.pages import html_page, html_table
from deepfake_lightning.schemas.assessment import NOT_COVERED

_RAMP = ",".join(f"rgb{colour}" for colour in (LOWERS, NEITHER, RAISES))
_STYLE = f"""<style>
.faces{{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1rem}}
figure{{margin:0;break-inside:avoid}}figcaption{{font-size:.85rem;color:var(--soft)}}
.three{{display:grid;grid-template-columns:repeat(3,1fr);gap:.25rem}}
.three img{{width:100%;height:auto;display:block;image-rendering:auto}}
.scale{{max-width:26rem;font-size:.85rem;color:var(--soft)}}
.scale i{{display:block;height:.8rem;background:linear-gradient(to right,{_RAMP})}}
.scale span{{display:flex;justify-content:space-between}}
.wide svg.broad{{min-width:30rem}}
.pair{{display:flex;flex-wrap:wrap;gap:1rem}}.pair svg{{flex:1 1 16rem;max-width:24rem}}
h3{{font-size:1rem;margin:1.4rem 0 .3rem}}</style>"""


def explanation_page(found: Explanation) -> str:
    """Return the page: HTML with its style and pictures inside, and nothing fetched."""
    names = [item.found.name for item in found.items]
    about = names[0] if len(names) == 1 else f"{len(names)} files"
    facts = (
        f"{found.version}, {found.backbone} on {found.size} x {found.size} pixels; "
        f"{NAMES[found.method]}, {found.grid} x {found.grid} fields"
    )
    body = [COLOURS, _STYLE, _finding("warning", "no evidence", f"{MEANING}. {PERMITS}.")]
    if found.is_demo:
        body.append(_finding("error", "demo", "This detector was trained on drawn faces: its "
                             "scores, and what moves them, say nothing of real ones."))  # fmt: skip
    for item in found.items:
        if len(names) > 1:
            body.append(f"<h2>{escape(item.found.name)}</h2>")
        body += _item(item, found)
    body += _method(found)
    return html_page("Explanation", about, facts, body)


def _finding(kind: str, title: str, words: str) -> str:
    return f'<div class="finding {kind}"><b>{escape(title)}</b><p>{escape(words)}</p></div>'


def _item(item: ExplainedItem, found: Explanation) -> Iterator[str]:
    if not item.faces:
        yield _finding("note", item.found.status.replace("_", " "), item.found.reason or "")
        return
    yield f"<p>{escape(verdict_line(item.found))}</p>"
    for note in item.found.notes:
        yield f'<p class="soft">{escape(note)}</p>'
    yield from _timeline(item)
    yield from _faces(item, found)
    yield from _checks(item)


def _timeline(item: ExplainedItem) -> Iterator[str]:
    if item.found.media_type != "video":
        return
    yield "<h3>Over time</h3>"
    yield (
        '<p class="soft">Each circle is a frame that was scored; filled ones have a heat map '
        "below. Shaded is the window whose mean is the track&#39;s score; the highest track is the "
        "clip&#39;s.</p>"
    )
    for place, track in enumerate(item.tracks):
        decided = ": it decided the score" if place == 0 else ""
        yield f"<p>{escape(named(track.track).capitalize())}, "
        yield f"{escape(counted(len(track.faces), 'frame'))}{decided}</p>"
        yield f'<div class="wide">{track_chart(item, track)}</div>'


def _faces(item: ExplainedItem, found: Explanation) -> Iterator[str]:
    yield f"<h3>{'Highest frames' if item.found.media_type == 'video' else 'Faces'}</h3>"
    limit = item.limit
    yield (
        '<div class="scale"><i></i><span>'
        f"<span>-{limit:.2g}</span><span>log-odds a field</span><span>+{limit:.2g}</span></span>"
        "<span><span>lowers the score</span><span>raises it</span></span></div>"
    )
    yield '<p class="soft">What the network was shown; the map as it is, field by field; the map '
    yield "smoothed over the face.</p>"
    yield '<div class="faces">'
    for face in item.faces:
        yield _figure(item, face, limit)
    yield "</div>"


def _figure(item: ExplainedItem, face: ExplainedFace, limit: float) -> str:
    scored = item.found.faces[face.place]
    pictures = [
        ("jpeg", jpeg(face.crop), "the face"),
        ("png", png(heat_picture(face.heat, limit, SIDE)), "its heat map"),
        ("jpeg", jpeg(on_face(face.crop, face.heat, limit)), "the heat map over the face"),
    ]
    images = "".join(
        f'<img alt="{about}" src="data:image/{kind};base64,{b64encode(data).decode()}">'
        for kind, data, about in pictures
    )
    places = [named(scored.track) if len(item.tracks) > 1 else "", when(scored)]
    told = [place for place in places if place]
    told.append(f"score {number(face.score)}")
    if item.found.media_type == "video" and face.decided:
        told.append("in the window that decided")
    told.append(f"logit {signed(scored.logit)}")
    if (own := item.sum_of(face)) is not None and item.constant is not None:
        told[-1] += f": {signed(own)}, the sum of the fields, and the bias {signed(item.constant)}"
    return (
        f'<figure><div class="three">{images}</div>'
        f"<figcaption>{escape(', '.join(told))}</figcaption></figure>"
    )


def _checks(item: ExplainedItem) -> Iterable[str]:
    deletion, insertion = item.checks("deletion"), item.checks("insertion")
    if not deletion:
        return
    yield "<h3>Do these maps say anything about the network?</h3>"
    yield f"<p>{escape(_sentence(checked_line(deletion, insertion)))}</p>"
    yield f"<p>{escape(_sentence(randomised_line(item.randomised)))}</p>"
    heads = ["mean area", "map", "middle", "random"]
    rows = [
        [f"{kind} ({'lower' if kind == 'deletion' else 'higher'} is better)",
         *(mean_area(item.checks(kind), order) for order in ("map", "centre", "random"))]
        for kind in KINDS
    ]  # fmt: skip
    yield html_table(heads, rows, numbers=(1, 2, 3))
    yield f'<div class="pair">{curves_chart(deletion)}{curves_chart(insertion)}</div>'
    yield (
        '<p class="soft">Score over the share of the face: by the map (solid), from the middle '
        "outwards (dashed), at random (dotted).</p>"
    )
    yield (
        '<p class="soft">Mean rank correlation with the maps of the network with shuffled weights; '
        "opposite signs cancel in it, but not in the sentence above:</p>"
    )
    yield randomised_chart(item.randomised)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _method(found: Explanation) -> Iterator[str]:
    yield "<h2>Method</h2>"
    worst = max((item.difference for item in found.items), default=0.0)
    for words in (
        _sentence(METHODS[found.method]),
        f"The faces and their scores are those of predict; the explained network's logits are at "
        f"most {worst:.2g} off. A map has {found.grid} x {found.grid} fields: a finer structure "
        "over a face is smoothing. All maps of a file have one scale.",
        CURVES,
        RANDOMISED,
        f"The scores do not cover: {NOT_COVERED}.",
    ):
        yield f'<p class="soft">{escape(words)}</p>'
