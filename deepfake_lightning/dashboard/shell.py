"""What stands around each page: its name, the ways to the others, the filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dash import dcc, html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.view import PAGES, PERIODS, View
from deepfake_lightning.dashboard.widgets import attributes

EVERY_SECONDS = 5
_WITHOUT_PERIOD = ("review", "versions")
_WITH_MEDIA = ("traffic", "scores", "overview")
_WITH_NAME = ("alerts", "review")


def layout(who: str, asks: bool) -> Component:
    """Return the page without what is on it.

    Args:
        who: name to acknowledge and review with, until another one is written there.
        asks: whether there is a session that can be ended.
    """
    leave = html.Button("Log out", type="button", id="leave", className="small quiet")
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Interval(id="tick", interval=EVERY_SECONDS * 1000),
            dcc.Store(id="deed"),
            dcc.Store(id="done", data=0),
            dcc.Store(id="headed"),
            dcc.Store(id="shown"),
            html.A("Skip to the content", href="#page", className="skip"),
            html.Header(
                [
                    html.A([html.Span(className="logo"), html.Span("Deepfake Lightning")],
                           href="/", className="brand"),
                    html.Div(
                        [
                            html.Label(
                                [html.Span("Your name"),
                                 dcc.Input(id="who", value=who, type="text", debounce=True,
                                           persistence=True, persistence_type="local",
                                           maxLength=100, autoComplete="name")],
                                id="who-label",
                            ),
                            html.Button("Pause", type="button", id="pause",
                                        className="small quiet",
                                        **attributes(aria_pressed="false")),
                            html.Button("Theme", type="button", id="theme",
                                        className="small quiet"),
                            *([leave] if asks else []),
                        ],
                        className="tools",
                    ),
                ],
                className="top",
            ),
            html.Div(
                [
                    html.Nav(id="nav", **attributes(aria_label="Pages")),
                    html.Main(
                        [
                            html.Div(id="head"),
                            html.Div(id="said", role="status", **attributes(aria_live="polite")),
                            html.Div(id="content", className="content"),
                        ],
                        id="page",
                        tabIndex="-1",
                    ),
                ],
                className="frame",
            ),
        ],
        className="shell",
    )  # fmt: skip


def navigation(view: View, firing: int, waiting: int) -> Component:
    """Return the ways to the pages; they keep the filters.

    Args:
        view: what is looked at.
        firing: alerts that fire.
        waiting: requests that wait for review.
    """
    counts = {"alerts": (firing, "firing"), "review": (waiting, "waiting")}

    def way(page: str, title: str) -> Component:
        number, word = counts.get(page, (0, ""))
        parts: list[Component | str] = [
            html.Span(className=f"icon icon-{page}", **attributes(aria_hidden="true")),
            html.Span(title),
        ]
        if number:
            shown = "99+" if number > 99 else str(number)
            more = html.Span(f" {word}", className="unseen")
            tone = "bad" if page == "alerts" else "info"
            parts.append(html.Span([shown, more], className=f"count tone-{tone}"))
        here = attributes(aria_current="page" if page == view.page else "")
        link = dcc.Link(parts, href=view.with_(page=page, feature=None).href, className="way")
        return html.Li(link, className="here" if here else "", **here)

    return html.Ul([way(page, title) for page, title in PAGES.items()])


def head(view: View, environments: Sequence[str], versions: Sequence[str]) -> Component:
    """Return a page's heading and its filters."""
    parts: list[Component] = [
        _choice("Environment", "env", view.env, {one: one for one in {*environments, view.env}})
    ]
    if view.page not in ("review", "versions", "alerts"):
        known = {one: one for one in [*versions, *([view.version] if view.version else [])]}
        parts.append(_choice("Version", "version", view.version or "", {"": "all", **known}))
    if view.page in _WITH_MEDIA:
        kinds = {"": "all", "image": "pictures", "video": "videos"}
        parts.append(_choice("Media", "media", view.media or "", kinds))
    if view.page not in _WITHOUT_PERIOD:
        parts.append(_periods(view))
    title = html.H1(PAGES.get(view.page, "Not found"))
    kind = "head with-name" if view.page in _WITH_NAME else "head"
    named = attributes(aria_label="Filters")
    filters = html.Div(parts, className="filters", role="group", **named)
    return html.Div([title, filters], className=kind)


def _choice(label: str, name: str, value: str, options: Mapping[str, str]) -> Component:
    ordered = sorted(options.items(), key=lambda pair: (pair[0] != "", pair[0]))
    shown = [html.Option(text, value=one, selected=one == value) for one, text in ordered]
    select = html.Select(shown, key=f"{name}={value}", **attributes(data_filter=name))
    return html.Label([html.Span(label), select], className="choice")


def _periods(view: View) -> Component:
    shown = PERIODS if view.asked in PERIODS else (*PERIODS, view.asked)
    links = [
        dcc.Link(one, href=view.with_(period=one).href,
                 className="segment here" if one == view.asked else "segment")
        for one in shown
    ]  # fmt: skip
    return html.Div(links, className="segments", role="group", **attributes(aria_label="Period"))
