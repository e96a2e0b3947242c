"""What the pages are made of: cards, tiles, tables, charts, and what is said where there is none.

Each returns a component, of plain HTML but for charts. Text is text: nothing that comes from the
log is read as markup.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, cast

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from deepfake_lightning.errors import DeepfakeLightningError

Tone = Literal["good", "warn", "bad", "plain", "info"]
Part = Component | str
_CONFIG: dict[str, Any] = {"displayModeBar": False, "responsive": True, "doubleClick": "reset"}
_STATIC: dict[str, Any] = {**_CONFIG, "staticPlot": True}


def attributes(**given: str) -> dict[str, Any]:
    """Return attributes whose names have a dash, ``aria_label``; empty ones are left out."""
    return {name.replace("_", "-"): value for name, value in given.items() if value}


def card(
    title: str, *parts: Part, note: str = "", size: str = "", tone: Tone = "plain"
) -> Component:
    """Return a box with a heading.

    Args:
        title: the heading.
        parts: below it.
        note: small print below the heading.
        size: ``wide`` for all of the page's width.
        tone: colour of its edge.
    """
    head: list[Part] = [html.H2(title)]
    if note:
        head.append(html.P(note, className="soft"))
    return html.Section([*head, *parts], className=f"card {size} edge-{tone}".strip())


def grid(*parts: Part) -> Component:
    """Return boxes side by side, as many as there is room for."""
    return html.Div(list(parts), className="grid")


def tile(
    label: str, value: str, note: Part = "", *, tone: Tone = "plain", href: str | None = None
) -> Component:
    """Return one figure, large, with its name and what to hold it against."""
    inner = [
        html.Dt(label),
        html.Dd(value, className="value"),
        html.Dd(note, className="soft"),
    ]
    body = html.Dl(inner, className=f"tile tone-{tone}")
    return dcc.Link(body, href=href, className="tile-link") if href else body


def tiles(*parts: Part) -> Component:
    """Return figures in a row that wraps."""
    return html.Div(list(parts), className="tiles")


def badge(text: str, tone: Tone = "plain") -> Component:
    """Return a word in a colour: it says by itself what the colour does."""
    return html.Span(text, className=f"badge tone-{tone}")


def command(text: str) -> Component:
    """Return a command to type, which a click copies."""
    return html.Div(
        [
            html.Code(text, tabIndex="0"),
            html.Button("Copy", type="button", className="small", **attributes(data_copy=text)),
        ],
        className="command",
    )


def empty(what: str, why: str = "", *commands: str) -> Component:
    """Return what is said where there is nothing to show, and what to do about it."""
    parts: list[Part] = [html.P(what, className="empty-what")]
    if why:
        parts.append(html.P(why, className="soft"))
    return html.Div([*parts, *(command(one) for one in commands)], className="empty")


def trouble(error: DeepfakeLightningError) -> Component:
    """Return what is said where something cannot be read."""
    parts: list[Part] = [html.H2("This cannot be read now"), html.P(error.what)]
    if error.why:
        parts.append(html.P(error.why, className="soft"))
    if error.next_step:
        parts.append(html.P(f"Next: {error.next_step}"))
    parts.append(html.P("The page tries again by itself.", className="soft"))
    return html.Div(parts, className="banner tone-bad", role="alert")


def banner(tone: Tone, *parts: Part) -> Component:
    """Return a line across the page that says how things stand."""
    return html.Div(list(parts), className=f"banner tone-{tone}")


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    caption: str,
    numbers: Collection[int] = (),
    compact: bool = False,
) -> Component:
    """Return a table; on a phone each row is a block, with the heads beside its cells.

    Args:
        heads: of the columns.
        rows: of as many cells, text or components; the first is the row's heading.
        caption: what it is of, for who cannot see where it stands.
        numbers: places of columns that are set to the right.
        compact: on a phone a row is two lines, and there are ten.
    """

    def name(place: int) -> str:
        return "number" if place in numbers else ""

    def cell(place: int, value: Any) -> Component:
        kind, more = (html.Th, attributes(scope="row")) if place == 0 else (html.Td, {})
        return kind(
            html.Span(value), className=name(place), **more, **attributes(data_head=heads[place])
        )

    head = html.Tr([html.Th(one, scope="col", className=name(at)) for at, one in enumerate(heads)])
    body = [html.Tr([cell(at, one) for at, one in enumerate(row)]) for row in rows]
    inner = [html.Caption(caption, className="unseen"), html.Thead(head), html.Tbody(body)]
    return html.Div(html.Table(inner, className="compact" if compact else ""), className="table")


def chart(figure: go.Figure, says: str, *, small: bool = False) -> Component:
    """Return a chart.

    Args:
        figure: what is drawn.
        says: what it shows, for who cannot see it.
        small: without axes, to look at only.
    """
    height = figure.layout.height or 260
    graph = dcc.Graph(
        figure=figure,
        config=cast(Any, _STATIC if small else _CONFIG),
        className="spark" if small else "chart",
        style={"height": f"{height}px"},
        responsive=True,
    )
    return html.Div(graph, role="img", className="figure", **attributes(aria_label=says))


def button(
    text: str, act: str, of: str, value: str = "", *, key: str = "", kind: str = ""
) -> Component:
    """Return a button that does something (``acting``).

    Args:
        text: on it.
        act: what it does.
        of: to what.
        value: with what.
        key: that does the same on a keyboard.
        kind: of its look.
    """
    said = attributes(data_act=act, data_of=of, data_value=value, data_key=key)
    shown: list[Part] = [text]
    if key:
        shown.append(html.Kbd(key.upper()))
    return html.Button(shown, type="button", className=kind or "small", **said)
