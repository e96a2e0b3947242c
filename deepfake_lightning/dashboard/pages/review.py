"""The queue of requests that people are to look at: one at a time, without what was said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dash import html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.media import type_of
from deepfake_lightning.dashboard.pages.absent import no_log
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import (
    Part,
    attributes,
    button,
    card,
    empty,
    grid,
    table,
    tile,
    tiles,
)
from deepfake_lightning.dashboard.words import VERDICTS, ago, clock, number
from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.monitoring.review import ReviewItem
from deepfake_lightning.monitoring.review.opinions import STATES, State

_WORDS = {0: "real", 1: "fake", -1: "cannot tell"}


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    if source.log() is None:
        return [no_log(view)]
    counts = source.review_counts(view.env)
    disputed = source.review_items(view.env, reviewer=None, state="disagreement", limit=10)
    return [
        _counts(counts),
        _next(source, view, who),
        *([_disagreements(disputed, who)] if disputed else []),
        grid(_how(), _keys()),
    ]


def _counts(counts: Mapping[State, int]) -> Component:
    return tiles(
        tile("Waiting", f"{counts.get('waiting', 0):,}", "for a first look"),
        tile("Second opinion", f"{counts.get('second', 0):,}", "two people look"),
        tile("Disagreement", f"{counts.get('disagreement', 0):,}", "a third one decides"),
        tile("Done", f"{counts.get('done', 0):,}", "agreed on"),
    )


def _next(source: Source, view: View, who: str) -> Component:
    if not who:
        why = "Opinions are kept by reviewer, and nobody gives two on the same request."
        return card("Who are you?", html.P(f"Write your name at the top right. {why}"), size="wide")
    for state in STATES[:-1][::-1]:
        found = source.review_items(view.env, reviewer=who, state=state, limit=1)
        if found:
            return _item(found[0], source.clock())
    return card(
        "Nothing waits for you",
        empty(f"{who} has judged all that was drawn in {view.env}, or nothing was drawn yet.",
              "A random sample of the traffic comes here while a server runs. To show pictures "
              "here, let it keep them:",
              f"deepfake-lightning serve --env {view.env} --keep_media review"),
        size="wide",
    )  # fmt: skip


def _item(item: ReviewItem, now_us: int) -> Component:
    kind = {"image": "A picture", "video": "A video"}.get(item.media_type or "", "A request")
    asked = {"second": "A second opinion is asked for.",
             "disagreement": "Reviewers disagree: yours decides."}.get(item.state, "")  # fmt: skip
    say = [
        button("Real", "opinion", item.request_id, "real", key="r", kind="answer real"),
        button("Fake", "opinion", item.request_id, "fake", key="f", kind="answer fake"),
        button("Cannot tell", "opinion", item.request_id, "cannot tell", key="c", kind="answer"),
    ]
    note = html.Label(
        [html.Span("How do you know? (may be left out)"),
         html.Textarea(key=item.request_id, rows=2, maxLength=500, **attributes(data_note="true"))],
        className="note",
    )  # fmt: skip
    return card(
        "Real or fake?",
        _media(item, kind),
        html.Div(say, className="answers", role="group", **attributes(aria_label="Your opinion")),
        note,
        html.P(["Request ", html.Code(item.request_id, className="id")], className="soft"),
        note=f"{kind}, {ago(item.ts_us, now_us)}. {asked} What the detector said is shown after "
        "your answer: who knows it, says the same.",
        size="wide", tone="info",
    )  # fmt: skip


def _media(item: ReviewItem, kind: str) -> Component:
    media_type, place = type_of(item), f"/media/{item.request_id}"
    if media_type is None:
        why = ("It cannot be shown in a browser." if item.media else
               "It was not kept. Look it up where it came from, by the id of its request; servers "
               "keep what is drawn with `serve --keep_media review`.")  # fmt: skip
        return html.Div(html.P(why), className="no-media")
    if media_type.startswith("video"):
        return html.Video(src=place, controls=True, loop=True, muted=True, className="media",
                          key=item.request_id,
                          **attributes(aria_label=f"{kind} to judge"))  # fmt: skip
    return html.Img(src=place, alt=f"{kind} to judge", className="media", key=item.request_id)


def _disagreements(items: Sequence[ReviewItem], who: str) -> Component:
    rows = [
        [html.Code(one.request_id[:12], title=one.request_id, className="id"), clock(one.ts_us),
         *(_said(one) if _has_judged(one.opinions, who)
           else [f"{len(one.opinions)}, hidden", "hidden", "hidden"])]
        for one in items
    ]  # fmt: skip
    heads = ["request", "when", "opinions", "verdict", "score"]
    shown = table(heads, rows, caption="requests in dispute")
    note = "They count as undecided until a third one has judged, who sees nothing of this before."
    return card("Reviewers disagree", shown, note=note, size="wide")


def _has_judged(opinions: Sequence[Label], who: str) -> bool:
    return who.casefold() in {one.by.strip().casefold() for one in opinions}


def _said(one: ReviewItem) -> list[str]:
    opinions = "; ".join(f"{each.by}: {_WORDS[each.label]}" for each in one.opinions)
    return [opinions, VERDICTS.get(one.verdict or "", "none"), number(one.score)]


def _how() -> Component:
    return card("What this is for", html.P(
        "These requests were drawn at random, more of them where scores are near the threshold. "
        "Each is weighted back by the chance it had, so that the figures under Performance are of "
        "all the traffic."))  # fmt: skip


def _keys() -> Component:
    rows: list[Part] = []
    for key, word in (("R", "real"), ("F", "fake"), ("C", "cannot tell")):
        rows += [html.Dt(html.Kbd(key)), html.Dd(word)]
    return card("Keys", html.Dl(rows, className="keys"))
