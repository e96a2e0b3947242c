"""A server whose app is in replicas of Ray Serve, behind its proxy.

The app is the one of :func:`~deepfake_lightning.serving.app.create_app`, with all that guards it.
What stands before it is Ray's: the proxy takes connections and bodies without the bounds of
:mod:`~deepfake_lightning.serving.access.connections`, so a balancer that has such belongs before
it where strangers reach it. Each replica has a port of Ray's on all addresses of its machine, which
reads pickles of whoever has the cluster's token.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp

from deepfake_lightning.errors import ClusterError, UsageError
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.address import log_url
from deepfake_lightning.monitoring.review import policy_of
from deepfake_lightning.processes import OWN, cluster_address, end_with_parent, open_cluster
from deepfake_lightning.serving.server import GRACE_SECONDS, KEEP_ALIVE_SECONDS, listen
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.metrics_files import VARIABLE, metrics_folder
from deepfake_lightning.storage import Workspace

NAME = "deepfake-lightning"
_BESIDE = 64  # requests of a replica that take no place: health, jobs, what is refused
_IN_PROXY = 256  # that wait there while all replicas are full, and get 503 beyond
_LOOK_SECONDS = 5.0
_QUIET = {"log_level": "ERROR", "enable_access_log": False}
_OF_PROXY = {
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "deepfake_lightning.serving.ray_proxy.middleware"
}


def serve_on_ray(
    settings: Settings, host: str, port: int, address: str | None, say: Callable[[str], None]
) -> None:
    """Serve in replicas, until this process is told to end.

    Args:
        settings: of the server; ``processes`` is the number of replicas.
        host: that the proxy listens on, on the cluster's head.
        port: likewise.
        address: of the cluster; None: ``$RAY_ADDRESS``, or one of this machine alone.
        say: told what is served and where, once it answers.

    Raises:
        UsageError: a setting cannot work so.
        DeepfakeLightningError: a version cannot serve, or the cluster does not.
    """
    is_spread = cluster_address(address) != OWN
    check_settings(settings, is_spread=is_spread)
    if not is_spread:
        with listen(host, port) as listener:  # what is wrong with it is said here
            port = listener.getsockname()[1]
    elif port == 0:
        raise UsageError(
            "--port 0 picks a free one of this machine, and the proxy is on the cluster's head",
            next_step="pass one that is free there",
        )
    PredictionLog(settings.log_place).close()
    policy_of(Workspace(settings.workspace))
    with ExitStack() as stack:
        cores = settings.processes * _cores(settings)
        cluster = stack.enter_context(open_cluster(address, cores=cores))
        _check_free()
        # Counts of replicas on one machine add up.
        folder = stack.enter_context(metrics_folder())
        variables = {VARIABLE: str(folder)} if cluster.is_own else {}
        text = _what(settings, host, port)
        end = stack.enter_context(_told_to_end())
        stack.enter_context(_serving(settings, host, port, variables))
        end.is_starting = False
        say(text)
        while not end.told.wait(_LOOK_SECONDS):
            _check_alive()


def check_settings(settings: Settings, *, is_spread: bool) -> None:
    """Refuse what replicas cannot do, or cannot share.

    Args:
        settings: of the server.
        is_spread: whether they run on several machines.

    Raises:
        UsageError: says what, and what to do.
    """
    if settings.device != "cpu":
        raise UsageError(
            f"--backend ray serves on CPUs, and --device is {settings.device}",
            next_step="leave --device out, or --backend",
        )
    if is_spread and log_url(settings.log_place).get_backend_name() == "sqlite":
        raise UsageError(
            "replicas on several machines cannot log predictions into one SQLite file",
            why="its locks do not hold from machine to machine",
            next_step="pass --log postgresql://... (or set $DEEPFAKE_LOG)",
        )
    if is_spread and settings.keep_media:
        raise UsageError(
            "--keep_media review keeps files on one machine, and replicas run on several",
            next_step="leave it out",
        )


def _cores(settings: Settings) -> int:
    """Return how many cores a replica reserves."""
    return settings.workers or 1


def _what(settings: Settings, host: str, port: int) -> str:
    """Open what will serve, so that it is said here what is wrong with it."""
    from deepfake_lightning.serving.service import open_fleet
    from deepfake_lightning.serving.telemetry.metrics import Metrics
    from deepfake_lightning.serving.words import banner

    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with open_fleet(settings, Metrics()) as fleet:
        return banner(settings, fleet.current(), url, settings.asks, fleet.refused)


@contextmanager
def _serving(settings: Settings, host: str, port: int, variables: dict[str, str]) -> Iterator[None]:
    from ray import serve
    from ray.serve.config import HTTPOptions

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    options = HTTPOptions(host=host, port=port, keep_alive_timeout_s=KEEP_ALIVE_SECONDS)

    here = os.getcwd()  # noqa: PTH109  (as text)

    def make_app() -> ASGIApp:
        with suppress(OSError):  # paths may be relative to it
            os.chdir(here)
        return _app(settings, is_spread=not variables)

    replicas = serve.deployment(
        serve.ingress(make_app)(_Replica),
        name="server",
        num_replicas=settings.processes,
        max_ongoing_requests=settings.places + _BESIDE,
        max_queued_requests=_IN_PROXY,
        graceful_shutdown_timeout_s=GRACE_SECONDS,
        logging_config=_QUIET,
        ray_actor_options={
            "num_cpus": _cores(settings),
            "runtime_env": {"env_vars": variables},
        },
    )
    try:
        _start(replicas, options)
        yield
    finally:
        with suppress(Exception):  # Ray has many kinds of it
            serve.delete(NAME)  # which waits for requests under way; the next ends after 30 s
        serve.shutdown()


def _start(replicas: Any, options: Any) -> None:
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    try:
        serve.start(
            proxy_location="HeadOnly",
            http_options=options,
            logging_config=_QUIET,
            controller_options={"runtime_env": {"env_vars": _OF_PROXY}},
        )
        serve.run(replicas.bind(), name=NAME, route_prefix="/")
    except (RuntimeError, TimeoutError, RayError, RayServeException) as error:
        raise ClusterError(
            "the replicas do not start",
            why=_last_line(error),
            next_step="see what `ray status` says; all machines need the same versions, and have "
            "to see workspace and bundle",
        ) from error


class _Replica:
    """Ray Serve makes one, and sends requests to its app."""


def _app(settings: Settings, *, is_spread: bool) -> ASGIApp:
    """Return the app of a replica."""
    from deepfake_lightning.serving.app import create_app
    from deepfake_lightning.serving.process import log_to

    end_with_parent()
    log_to(settings)
    return create_app(replace(settings, apart=is_spread))


class _End:
    """Whether SIGTERM or SIGINT has come; while all is starting the first one interrupts that."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.is_starting = True

    def tell(self, number: int, frame: object) -> None:
        is_first = not self.told.is_set()
        self.told.set()
        if self.is_starting and is_first:  # Ray waits without end where the cores are taken
            raise KeyboardInterrupt


@contextmanager
def _told_to_end() -> Iterator[_End]:
    end = _End()
    before = {kind: signal.signal(kind, end.tell) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield end
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _check_free() -> None:
    """Refuse a cluster whose Serve runs already: its proxy listens where others have said."""
    from ray import serve
    from ray.serve.context import _get_global_client

    if _get_global_client(raise_if_no_controller_running=False) is None:
        return
    names = ", ".join(serve.status().applications)
    raise ClusterError(
        f"the Ray cluster serves {names or 'already, though no application'}",
        why="it has one proxy, and that listens where it was told to when it was started",
        next_step="end that (serve shutdown), or use another cluster",
    )


def _check_alive() -> None:
    from ray import serve

    try:
        serve.status()
    except Exception as error:  # Ray has many kinds of it
        raise ClusterError("the Ray cluster has ended", why=_last_line(error)) from error


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
