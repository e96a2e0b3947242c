"""A running server on loopback, with a real log and real decoding processes."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from deepfake_lightning.monitoring.log import LoggedRequest
from deepfake_lightning.serving.app import create_app
from deepfake_lightning.serving.server import listen, make_server, url_of
from deepfake_lightning.serving.service import Service
from deepfake_lightning.serving.settings import Bounds, Settings


def _beside(name: str) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name(name))))


_brightness, _serve_process = _beside("brightness.py"), _beside("serve_process.py")


@dataclass
class Running:
    """A server that runs in a thread.

    Attributes:
        client: asks it.
        app: what runs.
        network: of its detector, where that is one.
        url: where it listens.
    """

    client: httpx.Client
    app: FastAPI
    network: Any
    url: str

    @property
    def service(self) -> Service:
        return self.app.state.service

    def find(self, request_id: str) -> LoggedRequest | None:
        """Return a row of the prediction log."""
        self.service.writer.flush()
        return self.service.log.find(request_id)

    def count(self) -> int:
        self.service.writer.flush()
        return self.service.log.count()

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


@contextmanager
def _running(app: FastAPI, network: Any) -> Iterator[Running]:
    with listen("127.0.0.1", 0) as listener:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            url = url_of(listener)
            with httpx.Client(base_url=url, timeout=30) as client:
                # It is up; the first decoders of all load libraries, which may take long.
                assert client.get("/healthz", timeout=180).status_code == 200
                yield Running(client, app, network, url)
        finally:
            if network is not None:
                network.may_go.set()
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


@contextmanager
def _bright(workspace: Path, settings: dict[str, Any]) -> Iterator[Running]:
    network = _brightness.Brightness()
    clock = {"clock": settings.pop("clock")} if "clock" in settings else {}
    of_version = {
        name: settings.pop(name) for name in ("is_demo", "slots", "most") if name in settings
    }
    fleet = settings.pop("fleet", None) or _brightness.fleet_of(
        _brightness.served(network, **of_version)
    )
    bounds = Bounds(**settings.pop("bounds", {}))
    made = Settings(workspace, bounds=bounds, **{"workers": 2, **settings})
    with _running(create_app(made, fleet=fleet, **clock), network) as running:
        yield running


@pytest.fixture(scope="session")
def brightness() -> SimpleNamespace:
    """Return the module ``brightness``."""
    return _brightness


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a server: ``serve(bounds={}, **settings)``.

    ``fleet``, ``clock``, ``is_demo``, ``slots`` and ``most`` may be given, too.
    """
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(_bright(tmp_path, settings))


@pytest.fixture
def serve_settings() -> Iterator[Callable[[Settings], Running]]:
    """Return a function that starts a server with the versions that its settings name."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(_running(create_app(settings), None))


@pytest.fixture
def start_serve() -> Iterator[Callable[..., Any]]:
    """Return a function that starts the command: ``start_serve(workspace, "--bundle", folder)``.

    It gives a ``ServeProcess``; whatever is left of it in the end is killed.
    """
    with ExitStack() as stack:

        def start(workspace: Path, *flags: object) -> Any:
            started = _serve_process.ServeProcess(workspace, *flags)
            stack.callback(started.destroy)
            return started

        yield start


@pytest.fixture
def traffic() -> Iterator[Callable[..., Any]]:
    """Return a function that sends a body again and again: ``traffic(url, body)``."""
    with ExitStack() as stack:

        def send(url: str, body: bytes, **more: Any) -> Any:
            sent = _serve_process.Traffic(url, body, **more)
            stack.callback(sent.stop)
            return sent

        yield send


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a server that a file's tests share; it takes 200,000 bytes."""
    workspace = tmp_path_factory.mktemp("serving")
    settings = {"bounds": {"bytes": 200_000}, "clock": lambda: 1_700_000_000_000_000}
    with _bright(workspace, settings) as running:
        yield running


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Return a function that gives a picture's bytes: ``encode(brightness, width=, kind=)``."""

    def encoded(brightness: int = 200, *, width: int = 32, kind: str = ".png") -> bytes:
        image = np.full((24, width, 3), brightness, np.uint8)
        done, data = cv2.imencode(kind, image)
        assert done
        return data.tobytes()

    return encoded
