"""A workspace in which two versions have answered for an hour, and its dashboard."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dash.development.base_component import Component

from deepfake_lightning.dashboard.app import create_app
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.review import ReviewPolicy, drawing
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving
from deepfake_lightning.serving.server import listen, make_server, url_of
from deepfake_lightning.storage import Workspace

MINUTE_US = 60_000_000
JPEG = b"\xff\xd8\xff\xe0" + bytes(60)


def _row(number: int, now_us: int) -> LoggedRequest:
    random_ = random.Random(number)
    version = "v1.1.0" if number % 3 == 0 else "v1.0.0"
    logit = random_.gauss(0, 3)
    score = 1 / (1 + 2.718281828**-logit)
    verdict = "manipulation_indicated" if score > 0.9 else "no_indication"
    item = ItemScore(0, "ok", logit, score, True, 1, 1, version, "ab" * 32, verdict=verdict,
                     network_us=7000, brightness=random_.uniform(50, 200))  # fmt: skip
    more: dict[str, Any] = {"media_type": "image", "verdict": verdict, "items": (item,)}
    if number % 50 == 7:
        more = {"error": "unreadable"}
    status = 415 if number % 50 == 7 else 200
    return LoggedRequest(
        id=f"{number:032x}", ts_us=now_us - number * 9_000_000 - MINUTE_US, version=version,
        bundle="ab" * 32, route="/v1/predict", http_status=status, bytes=1234,
        latency_us=round(random_.lognormvariate(10.5, 0.5)), environment="production",
        queue_us=2000, media_us=3000, decode_us=1000, faces_us=1500, network_us=7000, **more,
    )  # fmt: skip


@pytest.fixture(scope="session")
def now_us() -> int:
    return round(datetime.now(UTC).timestamp() * 1_000_000)


@pytest.fixture(scope="session")
def busy(tmp_path_factory: pytest.TempPathFactory, now_us: int) -> Workspace:
    """Return a workspace with an hour of traffic; to be read only."""
    workspace = Workspace(tmp_path_factory.mktemp("busy") / "mlops")
    fill(workspace, now_us)
    return workspace


def fill(workspace: Workspace, now_us: int, number: int = 300) -> None:
    began = datetime.fromtimestamp(now_us / 1e6, UTC) - timedelta(minutes=30)
    environment = Environment(workspace, "production", clock=lambda: began)
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy", "the first", by="ana"))
    both = EnvironmentRecord(
        serving=(Serving(version="v1.0.0", share=0.7), Serving(version="v1.1.0", share=0.3))
    )
    environment.change(environment.record(), both, Act("manual", "<b>try</b> it", by="ana"))
    with PredictionLog(workspace.monitoring / "predictions.db") as log:
        draw = drawing(ReviewPolicy(rate=0.2))
        log.append_many([_row(each, now_us) for each in range(1, number)], draw=draw)
        make_rollups(log)


@pytest.fixture
def busy_copy(tmp_path: Path, busy: Workspace) -> Workspace:
    """Return such a workspace of the test's own."""
    shutil.copytree(busy.root, tmp_path / "mlops")
    return Workspace(tmp_path / "mlops")


@pytest.fixture
def source_of(now_us: int) -> Iterator[Callable[[Workspace], Source]]:
    """Return a function that opens what a workspace's pages are told by, at a fixed time."""
    with ExitStack() as stack:

        def opened(workspace: Workspace) -> Source:
            place = workspace.monitoring / "predictions.db"
            source = Source(workspace, place, clock=lambda: now_us)
            stack.callback(source.close)
            return source

        yield opened


@pytest.fixture
def text() -> Callable[[Any], str]:
    """Return a function that gives what somebody reads of components."""
    return lambda part: " ".join(_text(part).split())


def _text(part: Any) -> str:
    if isinstance(part, list | tuple):
        return " ".join(_text(one) for one in part)
    if isinstance(part, Component):
        said = getattr(part, "aria-label", "") if hasattr(part, "aria-label") else ""
        return f"{said} {_text(getattr(part, 'children', None))}".strip()
    return "" if part is None else str(part)


@pytest.fixture
def start(now_us: int) -> Iterator[Callable[..., str]]:
    """Return a function that starts a workspace's dashboard, and gives its address."""
    with ExitStack() as stack:
        yield lambda workspace, **more: stack.enter_context(_running(workspace, more))


@contextmanager
def _running(workspace: Workspace, more: dict[str, Any]) -> Iterator[str]:
    source = Source(workspace, workspace.monitoring / "predictions.db")
    with listen("127.0.0.1", 0) as listener:
        server = make_server(create_app(source, **more))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join(30)
            source.close()
