"""The dashboard from its settings to its end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from deepfake_lightning.dashboard.app import create_app
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.monitoring.alerts import Rounds
from deepfake_lightning.registry.registering import user
from deepfake_lightning.serving.server import run, url_of
from deepfake_lightning.storage import Workspace


def run_dashboard(
    workspace: Workspace,
    place: str | Path,
    listener: socket.socket,
    *,
    env: str,
    token: str | None,
    asks: bool,
    watch: bool,
    say: Callable[[str], None],
) -> None:
    """Serve the pages until this process is told to end.

    Args:
        workspace: whose.
        place: of the prediction log, a path or URL.
        listener: the socket.
        env: environment that is shown first, and watched.
        token: the operator's; None without one.
        asks: whether callers need a token.
        watch: whether drift and alerts are looked for once a minute, too.
        say: told where it is, once it is open.
    """
    with ExitStack() as stack:
        source = Source(workspace, place)
        stack.callback(source.close)
        app = create_app(source, env=env, token=token, asks=asks, who="" if asks else user())
        if watch:
            stack.enter_context(Rounds(workspace, place, environment=env))
        say(_banner(url_of(listener), env, asks, watch))
        run(app, listener)


def _banner(url: str, env: str, asks: bool, watch: bool) -> str:
    who = "whoever has a token with the scope admin" if asks else "whoever is on this machine"
    watched = "looked for once a minute" if watch else "not looked for here"
    return f"dashboard of {env} at {url}, for {who}\ndrift and alerts are {watched}; Ctrl-C ends it"
