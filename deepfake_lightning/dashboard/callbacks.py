"""What happens in the browser's page: it shows a view, shows it anew, and does what is asked for.

Each callback is short and runs in a thread, so that one who waits for the log keeps no one waiting.
"""

from __future__ import annotations

import logging
from typing import Any

from anyio import to_thread
from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component

from deepfake_lightning.dashboard import pages, shell
from deepfake_lightning.dashboard.acting import deed_of, do
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View, view_of
from deepfake_lightning.dashboard.widgets import banner, trouble
from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.schemas.environment import ENVIRONMENTS

logger = logging.getLogger(__name__)


def register(app: Dash, source: Source, env: str) -> None:
    """Give an app its callbacks.

    Args:
        app: the app.
        source: what its pages are told by.
        env: environment that is shown where the address names none.
    """
    place = Input("url", "pathname"), Input("url", "search")

    # An answer that comes after a newer question is thrown away by Dash. So what may stay as it is
    # is told by what is shown, not by what was asked last: a tick that overtakes a click must not
    # leave the old page standing.
    @app.callback(Output("nav", "children"), Output("head", "children"), Output("headed", "data"),
                  *place, Input("tick", "n_intervals"), Input("done", "data"),
                  State("headed", "data"))  # fmt: skip
    async def around(path: str, query: str, tick: int, done: int, headed: str | None) -> Any:
        view = view_of(path, query, env=env)
        nav, head = await to_thread.run_sync(_around, source, view)
        # A list that is open stays open.
        return (nav, no_update, no_update) if headed == view.href else (nav, head, view.href)

    @app.callback(Output("content", "children"), Output("shown", "data"),
                  *place, Input("tick", "n_intervals"), Input("done", "data"),
                  Input("who", "value"), State("shown", "data"))  # fmt: skip
    async def content(
        path: str, query: str, tick: int, done: int, who: str | None, last: list[Any] | None
    ) -> Any:
        view, name = view_of(path, query, env=env), (who or "").strip()
        now = [view.href, done, name if view.page == "review" else ""]
        if last == now and not pages.is_due(view.page, tick or 0):
            return no_update, no_update
        return await to_thread.run_sync(shown, source, view, name), now

    @app.callback(Output("said", "children"), Output("done", "data"),
                  Input("deed", "data"), State("who", "value"), State("done", "data"),
                  prevent_initial_call=True)  # fmt: skip
    async def act(sent: Any, who: str | None, done: int) -> tuple[Any, int]:
        return await to_thread.run_sync(_act, source, sent, who), (done or 0) + 1

    @app.callback(Output("said", "children", allow_duplicate=True), Input("url", "pathname"),
                  prevent_initial_call=True)  # fmt: skip
    async def left(path: str) -> Any:
        return None


def shown(source: Source, view: View, who: str) -> list[Component]:
    """Return what is on a page, or what is wrong in its place."""
    try:
        return pages.render(source, view, who)
    except DeepfakeLightningError as error:
        return [trouble(error)]
    except Exception:
        logger.exception("the page %s failed", view.page)
        return [banner("bad", html.P("The dashboard failed on this page: its log says why."))]


def _around(source: Source, view: View) -> tuple[Component, Component]:
    firing = waiting = 0
    versions: list[str] = []
    found = {path.stem for path in source.workspace.environments.glob("*.json")}
    try:
        versions = list(source.serving(view.env).versions)
        firing = sum(one.state == "firing" for one in source.all_alerts())
        counts = source.review_counts(view.env)
        waiting = sum(count for state, count in counts.items() if state != "done")
        window = source.window(view.with_(version=None, media=None))
        versions = sorted({*versions, *(name for name, _ in window.by_version if name)}
                          if window else versions)  # fmt: skip
    except DeepfakeLightningError:
        pass  # the page says it
    environments = [*ENVIRONMENTS, *sorted(found - {*ENVIRONMENTS})]
    return shell.navigation(view, firing, waiting), shell.head(view, environments, versions)


def _act(source: Source, sent: Any, who: str | None) -> Component:
    try:
        said = do(source, deed_of(sent, who))
    except DeepfakeLightningError as error:
        next_step = f" Next: {error.next_step}" if error.next_step else ""
        return banner("bad", html.P(f"{error.what}.{next_step}"))
    return banner("good", html.P(said))
