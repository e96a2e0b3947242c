"""The app: what answers, behind what guards it."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from deepfake_lightning import __version__
from deepfake_lightning.errors import StorageError
from deepfake_lightning.serving import health, page, routes
from deepfake_lightning.serving.access.admission import Places
from deepfake_lightning.serving.access.guard import Guard
from deepfake_lightning.serving.access.limits import BodyLimit
from deepfake_lightning.serving.access.rates import RateLimit
from deepfake_lightning.serving.access.security_headers import SecurityHeaders
from deepfake_lightning.serving.access.tokens import FILE as TOKENS
from deepfake_lightning.serving.access.tokens import TokenStore
from deepfake_lightning.serving.answers import (
    Refusal,
    on_fault,
    on_http_error,
    on_refusal,
    on_storage_error,
    on_wrong_parameter,
)
from deepfake_lightning.serving.descriptions import corrected
from deepfake_lightning.serving.fleet.following import Fleet
from deepfake_lightning.serving.jobs import routes as job_routes
from deepfake_lightning.serving.long_media import open_jobs
from deepfake_lightning.serving.service import open_fleet, open_service
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.metrics import Measured, Metrics
from deepfake_lightning.serving.telemetry.request_log import RequestLog
from deepfake_lightning.storage import Workspace

_ABOUT = """Says whether faces in pictures and clips look manipulated.

A verdict is one of `manipulation_indicated`, `no_indication`, `inconclusive` and
`not_assessable`. None says that a picture is real. Sound, scenes without faces and manipulation
outside of faces are not covered.
"""


_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own looks with every request whether someone asks; /metrics and the logs do without."""
_ROUTERS = (routes.router, job_routes.router, health.router)


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the description as it is meant."""
        described = [route for router in _ROUTERS for route in router.routes]
        return corrected(super().openapi(), described, asks=self.state.asks)


def _now() -> int:
    return time.time_ns() // 1000


def create_app(
    settings: Settings,
    *,
    fleet: Fleet | None = None,
    metrics: Metrics | None = None,
    clock: Callable[[], int] = _now,
) -> FastAPI:
    """Return the app; what it works with is opened when it starts, and closed when it ends.

    Args:
        settings: of the server.
        fleet: versions that are open; None: they are opened when the app starts.
        metrics: for Prometheus; None: new ones.
        clock: the time in microseconds since 1970, UTC.
    """
    metrics = metrics or Metrics()
    app = _App(
        title="deepfake-lightning",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # these pages load scripts from other machines
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        lifespan=_lifespan(settings, fleet, metrics, clock),
    )
    for router in (*_ROUTERS, page.router):
        # FastAPI's include_router would look for a route once more in each router.
        app.router.routes.extend(router.routes)
    app.state.asks = settings.asks
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(StorageError, on_storage_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_wrong_parameter)
    app.add_exception_handler(Exception, on_fault)
    bounds = settings.bounds
    tokens = TokenStore(Workspace(settings.workspace).serving / TOKENS)
    # The last one added is the first to see a request.
    app.add_middleware(Places)
    app.add_middleware(
        RateLimit, default=settings.rate, processes=settings.processes,
        on_limited=metrics.count_rate_limited,
    )  # fmt: skip
    app.add_middleware(Guard, token=settings.token, tokens=tokens, asks=settings.asks)
    app.add_middleware(BodyLimit, max_bytes=bounds.bytes, max_job_bytes=bounds.job_bytes)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, clock=clock)
    app.add_middleware(Measured, metrics=metrics)
    return app


def _lifespan(
    settings: Settings, fleet: Fleet | None, metrics: Metrics, clock: Callable[[], int]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            found = fleet or stack.enter_context(open_fleet(settings, metrics))
            service = stack.enter_context(open_service(settings, metrics, found, clock))
            await service.pool.start()
            app.state.service = service
            app.state.jobs = stack.enter_context(open_jobs(service))
            stack.enter_context(_collected())
            yield

    return opened


@contextmanager
def _collected() -> Iterator[None]:
    """Leave what is loaded by now to itself: to look there for garbage stops all for 0.1 s."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
