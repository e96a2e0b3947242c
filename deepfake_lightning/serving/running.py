"""A server from its settings to its end: in this process, or in several."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from deepfake_lightning.serving.process import AppMaker, log_to
from deepfake_lightning.serving.server import run, run_processes, url_of
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.metrics_files import (
    VARIABLE,
    mark_process_dead,
    metrics_folder,
)

# What imports prometheus_client is imported below: in several processes it has to know its folder.


def run_one(
    settings: Settings, listener: socket.socket, asks: bool, say: Callable[[str], None]
) -> None:
    """Serve in this process, until it is told to end.

    Args:
        settings: of the server.
        listener: the socket.
        asks: whether callers need a token.
        say: told what is served and where, once it is open.

    Raises:
        DeepfakeLightningError: a version cannot serve.
    """
    from deepfake_lightning.serving.app import create_app
    from deepfake_lightning.serving.service import open_fleet
    from deepfake_lightning.serving.telemetry.metrics import Metrics
    from deepfake_lightning.serving.words import banner

    metrics = Metrics()
    with open_fleet(settings, metrics) as fleet:
        say(banner(settings, fleet.current(), url_of(listener), asks, fleet.refused))
        log_to(settings)
        run(create_app(settings, fleet=fleet, metrics=metrics), listener)


def run_several(
    settings: Settings, listener: socket.socket, asks: bool, say: Callable[[str], None]
) -> None:
    """Serve in several processes, until this one is told to end; arguments as :func:`run_one`."""
    with metrics_folder() as folder:
        os.environ[VARIABLE] = str(folder)
        from deepfake_lightning.serving.service import open_fleet
        from deepfake_lightning.serving.telemetry.metrics import Metrics
        from deepfake_lightning.serving.words import banner

        # Each process opens its own; here it is only seen that they serve.
        with open_fleet(settings, Metrics()) as fleet:
            say(banner(settings, fleet.current(), url_of(listener), asks, fleet.refused))
        mark_process_dead(folder, os.getpid())  # it serves none
        run_processes(AppMaker(settings), listener, settings.processes)
