"""The pages: each a function of what the source tells, the view, and who looks."""

from __future__ import annotations

from collections.abc import Callable

from dash import html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.pages import (
    alerts,
    drift,
    overview,
    performance,
    review,
    scores,
    traffic,
    versions,
)
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import empty

Page = Callable[[Source, View, str], list[Component]]
_PAGES: dict[str, Page] = {
    "overview": overview.page,
    "performance": performance.page,
    "traffic": traffic.page,
    "scores": scores.page,
    "drift": drift.page,
    "alerts": alerts.page,
    "versions": versions.page,
    "review": review.page,
}
# Every how many ticks a page is shown anew; 0: never by itself, somebody works on it.
_EVERY = {"overview": 1, "alerts": 1, "review": 0}
_ELSE = 3


def is_due(page: str, tick: int) -> bool:
    """Return whether a page is shown anew at a tick."""
    every = _EVERY.get(page, _ELSE)
    return bool(every) and tick % every == 0


def render(source: Source, view: View, who: str) -> list[Component]:
    """Return what is on a page.

    Raises:
        DeepfakeLightningError: what it shows cannot be read.
    """
    page = _PAGES.get(view.page)
    if page is None:
        return [
            empty("There is no such page.", "The ways to those that are there stand beside it.")
        ]
    parts = page(source, view, who)
    return [*parts, html.P("Times are UTC.", className="soft foot")]
