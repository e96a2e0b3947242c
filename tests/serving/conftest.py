"""A running server on loopback, with a real log."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from deepfake_lightning.monitoring import PredictionLog
from deepfake_lightning.serving.app import create_app
from deepfake_lightning.serving.server import listen, make_server, url_of

Brightness = runpy.run_path(str(Path(__file__).with_name("brightness.py")))["Brightness"]


@dataclass
class Running:
    client: httpx.Client
    log: PredictionLog
    detector: Any
    url: str


@contextmanager
def _running(place: Path, is_demo: bool, settings: dict[str, Any]) -> Iterator[Running]:
    detector = Brightness(is_demo)
    with listen("127.0.0.1", 0) as listener, PredictionLog(place) as log:
        server = make_server(create_app(detector, log, **settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            url = url_of(listener)
            with httpx.Client(base_url=url, timeout=20) as client:
                yield Running(client, log, detector, url)
        finally:
            detector.may_go.set()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a server: ``serve(is_demo=False, **settings of the app)``."""
    with ExitStack() as stack:
        yield lambda is_demo=False, **settings: stack.enter_context(
            _running(tmp_path / "predictions.db", is_demo, settings)
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a server that a file's tests share; it takes 200,000 bytes."""
    place = tmp_path_factory.mktemp("serving") / "predictions.db"
    with _running(
        place, False, {"max_bytes": 200_000, "clock": lambda: 1_700_000_000_000_000}
    ) as r:
        yield r


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Return a function that gives a picture's bytes: ``encode(brightness, width=, kind=)``."""

    def encoded(brightness: int = 200, *, width: int = 32, kind: str = ".png") -> bytes:
        image = np.full((24, width, 3), brightness, np.uint8)
        done, data = cv2.imencode(kind, image)
        assert done
        return data.tobytes()

    return encoded
