"""Is the server up, does it serve, and how does it fare: for balancers, probes and Prometheus."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from deepfake_lightning.errors import StorageError
from deepfake_lightning.serving.access.callers import Caller
from deepfake_lightning.serving.answers import Refusal, exchange_of
from deepfake_lightning.serving.descriptions import refusals
from deepfake_lightning.serving.jobs.job import STATES
from deepfake_lightning.serving.routes import service_of
from deepfake_lightning.serving.service import Service
from deepfake_lightning.serving.telemetry.workspace_metrics import WorkspaceMetrics

router = APIRouter(tags=["operation"], responses=refusals(403))


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the server is up; no token is needed."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    responses={503: {"description": "it is up, and has no version to answer with"}},
)
async def readyz(request: Request) -> Response:
    """Say whether requests are answered; to callers also which versions do, and the limits."""
    service = service_of(request)
    ready = bool(service.fleet.current().serving)
    record: dict[str, Any] = {"status": "ready" if ready else "nothing deployed"}
    if (caller := exchange_of(request.scope).caller) is not None:
        record |= _details(service, caller)
    return JSONResponse(record, 200 if ready else 503)


def _details(service: Service, caller: Caller) -> dict[str, Any]:
    lineup, bounds = service.fleet.current(), service.settings.bounds
    serving = [
        {"version": one.engine.version, "digest": one.engine.digest, "share": share,
         "demo": one.engine.is_demo}
        for one, share in zip(lineup.serving, lineup.shares, strict=True)
    ]  # fmt: skip
    first = lineup.serving[0].engine if lineup.serving else None
    return {
        "version": first.version if first else None,
        "digest": first.digest if first else None,
        "demo": any(one.engine.is_demo for one in lineup.serving),
        "environment": lineup.environment,
        "serving": serving,
        "shadow": [one.engine.version for one in lineup.shadow],
        "refused": _refused(service, caller),
        "limits": {
            "max_bytes": bounds.bytes,
            "max_seconds": bounds.seconds,
            "max_pixels": bounds.pixels,
            "job_max_bytes": bounds.job_bytes,
        },
    }


def _refused(service: Service, caller: Caller) -> str | None:
    """Return why a change does not serve; reasons name paths, which not each caller should know."""
    reason = service.fleet.refused
    if reason is None or caller.may("admin") or caller.may("metrics"):
        return reason
    return "what the environment's file says is refused; the server's log has the reason"


@router.head("/metrics", include_in_schema=False)
@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"},
        **refusals(401, 429, 501),
    },
)
def metrics(request: Request) -> Response:
    """Return what Prometheus reads."""
    service = service_of(request)
    if service.settings.apart:
        raise Refusal(
            501, "metrics", "each replica counts for itself, and any of them may answer",
            "read the prediction log: deepfake-lightning monitor, or the dashboard",
        )  # fmt: skip
    with suppress(StorageError):  # the other figures are worth having all the more then
        there = request.app.state.jobs.store.count()
        service.metrics.set_jobs(dict.fromkeys(STATES, 0) | there)  # a state that is left is at 0
    content, kind = service.metrics.exposition(WorkspaceMetrics(service.settings))
    return Response(content, media_type=kind)
