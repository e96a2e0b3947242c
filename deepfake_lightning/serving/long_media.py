"""Jobs in this server: how their media come, which version does them, where they are logged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from deepfake_lightning.monitoring.log import LoggedRequest, with_result
from deepfake_lightning.serving.access.admission import Admission
from deepfake_lightning.serving.answers import Refusal, exchange_of
from deepfake_lightning.serving.jobs.answers import PATH
from deepfake_lightning.serving.jobs.job import Job
from deepfake_lightning.serving.jobs.runner import JobRunner, JobSettings
from deepfake_lightning.serving.jobs.service import JobService, Received, Routed
from deepfake_lightning.serving.jobs.store import JobStore
from deepfake_lightning.serving.jobs.worker import Found
from deepfake_lightning.serving.routes import route_to
from deepfake_lightning.serving.service import Service

_CANCELLED = "cancelled"
_STATUS = {"unreadable": 422, "timeout": 503, _CANCELLED: 499}
_GRACE_SECONDS = 20.0
_UPLOADS = 8  # that are taken in at a time: they take long, and no places of others


@contextmanager
def open_jobs(service: Service) -> Iterator[JobService]:
    """Open the jobs of a workspace, and do them; what runs at the end is done or put back."""
    settings = service.settings
    store = JobStore(service.place / "jobs", limit=settings.bounds.jobs, clock=service.clock)
    runner = JobRunner(
        store,
        JobSettings(device=settings.device, max_pixels=settings.bounds.pixels),
        lambda job, scored: _log(service, job, scored),
    )

    uploads = Admission(_UPLOADS, _UPLOADS)

    async def receive(request: Request) -> Received:
        with uploads.place(exchange_of(request.scope).caller):
            upload = await service.spool.receive(request, to_file=True)
        assert not isinstance(upload.content, bytes)
        return Received(upload.content, upload.kind)

    def route(request: Request) -> Routed:
        lineup = service.fleet.current()
        served = route_to(request, lineup)
        if served.folder is None:
            raise Refusal(503, "no_jobs", "this detector takes no jobs", "send a short clip")
        if settings.apart:  # whoever is asked for it next would not know it
            raise Refusal(503, "no_jobs", "this server takes no jobs", "send a short clip")
        return Routed(
            served.engine.version, served.engine.digest, served.folder, lineup.environment,
            lineup.experiment or None, "serving",
        )  # fmt: skip

    runner.start()
    try:
        yield JobService(store, receive, route, runner.nudge, lambda job: _log(service, job, None))
    finally:
        runner.stop(_GRACE_SECONDS)
        store.close()


def _log(service: Service, job: Job, scored: Found | None) -> None:
    """Write a job that has come to its end to the prediction log: under its own route."""
    finished = job.finished_us or service.clock()
    started = job.started_us or finished  # one that only waited says nothing of how long it takes
    error = job.error.code if job.error else _CANCELLED if job.state == "cancelled" else None
    row = LoggedRequest(
        id=job.id,
        ts_us=finished,  # who watches the last minutes has to see it, however long it took
        version=job.version,
        bundle=job.digest,
        route=PATH,
        http_status=200 if error is None else _STATUS.get(error, 500),
        bytes=job.bytes,
        latency_us=max(0, finished - started),
        error=error,
        environment=job.environment,
        experiment=job.experiment,
        client=job.client,
        variant="serving",
        already_cropped=job.already_cropped,
    )
    if scored is not None:
        found = scored.assessment
        row = with_result(row, found, projection=scored.projection)
        service.metrics.count_verdict(found.version, "serving", found.verdict)
    service.metrics.count_prediction(
        row.environment, row.version, row.media_type, row.http_status, row.latency_us / 1e6
    )
    if not service.writer.put(row):
        service.metrics.count_rows_dropped()
