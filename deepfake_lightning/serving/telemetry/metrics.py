"""What Prometheus reads of a server: counts, times, queues, what is served.

Names follow https://prometheus.io/docs/practices/naming/: one prefix, base units, ``_total`` for
counts. Values of labels come from the program, the environment file and the table of paths; none
is a caller's.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import ValueClass
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning import __version__
from deepfake_lightning.serving.access.doors import door_of
from deepfake_lightning.serving.telemetry.metrics_files import VARIABLE
from deepfake_lightning.serving.telemetry.process_metrics import Processes

_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# An alert's limit is exact where it is one of these.
PREDICTION_SECONDS = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20,
    30, 60, 120,
)  # fmt: skip
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_SERVED = ("environment", "version", "variant")
_NONE = "none"
_KINDS = ("image", "video")

Queue = Literal["places", "decode", "batch"]


@dataclass(frozen=True)
class Served:
    """A version in an environment.

    Attributes:
        version: which.
        share: of the traffic that it answers, 0 to 1.
        variant: of the experiment, or ``champion``, ``shadow``.
    """

    version: str
    share: float
    variant: str


class Metrics:
    """The metrics of one process; where there are several, what is read is of all of them.

    Several add up in the folder that the environment names
    (:data:`~deepfake_lightning.serving.telemetry.metrics_files.VARIABLE`).

    Raises:
        RuntimeError: it named it only after ``prometheus_client`` was imported.
    """

    def __init__(self) -> None:
        named = os.environ.get(VARIABLE)
        self._folder = Path(named) if named else None
        if bool(named) != bool(getattr(ValueClass, "_multiprocess", False)):
            raise RuntimeError(f"{VARIABLE} changed after prometheus_client was imported")
        self._registry = CollectorRegistry()
        self._served: dict[tuple[str, str, str], float] = {}
        # They are a second series for each, which nothing here asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._make_of_requests()
        self._make_of_state()
        # One series of each of these is asked for with every request, and looking it up is slow.
        self._request = cache(self._requests.labels)
        self._took = cache(self._request_seconds.labels)
        self._stage = cache(self._stage_seconds.labels)
        self._verdict = cache(self._verdicts.labels)
        self._prediction = cache(self._predictions.labels)
        self._prediction_took = cache(self._prediction_seconds.labels)
        self._queue = cache(self._queues.labels)
        Processes(self._registry, self._folder)

    def _make_of_requests(self) -> None:
        of = self._registry
        self._requests = Counter(
            "deepfake_requests", "Requests answered.", ["route", "status"], registry=of
        )
        self._request_seconds = Histogram(
            "deepfake_request_seconds", "From a request's head to the end of its answer.",
            ["route"], buckets=_REQUEST_SECONDS, registry=of,
        )  # fmt: skip
        self._stage_seconds = Histogram(
            "deepfake_stage_seconds", "Time of a stage of scoring.",
            ["stage"], buckets=_STAGE_SECONDS, registry=of,
        )  # fmt: skip
        self._batch_size = Histogram(
            "deepfake_batch_size", "Faces that the network scored at once.",
            buckets=_BATCH_SIZES, registry=of,
        )  # fmt: skip
        self._verdicts = Counter(
            "deepfake_verdicts", "Verdicts given.", ["version", "variant", "verdict"], registry=of
        )
        self._predictions = Counter(
            "deepfake_predictions", "Pictures and clips that were asked about, jobs among them: "
            "what the prediction log has a row of.",
            ["environment", "version", "media", "status"], registry=of,
        )  # fmt: skip
        self._prediction_seconds = Histogram(
            "deepfake_prediction_seconds", "From a request's head to its answer, or from a job's "
            "start to its end.",
            ["environment", "version", "media"], buckets=PREDICTION_SECONDS, registry=of,
        )  # fmt: skip
        self._rate_limited = Counter(
            "deepfake_rate_limited", "Requests that came sooner than their rate allows.",
            registry=of,
        )  # fmt: skip
        self._rows_dropped = Counter(
            "deepfake_log_rows_dropped", "Requests that the prediction log does not have.",
            registry=of,
        )  # fmt: skip
        self._media_not_kept = Counter(
            "deepfake_review_media_not_kept", "Uploads of requests drawn for review that could not "
            "be kept for reviewers.",
            registry=of,
        )  # fmt: skip
        self._shadows_skipped = Counter(
            "deepfake_shadows_skipped", "Requests that a shadow version did not score: it was "
            "busy, or failed.",
            registry=of,
        )  # fmt: skip

    def _make_of_state(self) -> None:
        of = self._registry
        self._queues = Gauge(
            "deepfake_queue_length", "Requests with a place, files being decoded or waiting for "
            "it, faces waiting for the network.",
            ["queue"], multiprocess_mode="livesum", registry=of,
        )  # fmt: skip
        self._jobs = Gauge(
            "deepfake_jobs", "Jobs by state.", ["state"],
            multiprocess_mode="livemostrecent", registry=of,
        )  # fmt: skip
        self._version_info = Gauge(
            "deepfake_version_info", "1 for what is served, 0 for what was.", _SERVED,
            multiprocess_mode="livemax", registry=of,
        )  # fmt: skip
        self._version_share = Gauge(
            "deepfake_version_share_ratio", "Share of the traffic that a version answers.", _SERVED,
            multiprocess_mode="livemostrecent", registry=of,
        )  # fmt: skip
        self._refused = Gauge(
            "deepfake_version_refused", "1 while the environment names a version that failed its "
            "checks, and the ones before it answer.",
            multiprocess_mode="livemax", registry=of,
        )  # fmt: skip
        self._log_away = Gauge(
            "deepfake_log_away", "1 while the prediction log cannot be written; requests are "
            "answered, and kept in memory as long as there is room.",
            multiprocess_mode="livemax", registry=of,
        )  # fmt: skip
        build = Gauge(
            "deepfake_build_info", "Always 1: what runs.", ["version", "python"],
            multiprocess_mode="livemax", registry=of,
        )  # fmt: skip
        build.labels(__version__, platform.python_version()).set(1)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Be told of a request that is answered."""
        route = door_of(path).route
        self._request(route, str(status)).inc()
        self._took(route).observe(seconds)

    def observe_stages(self, milliseconds: Mapping[str, float]) -> None:
        """Be told how long each stage of a request took; names are the program's."""
        for stage, took in milliseconds.items():
            self._stage(stage).observe(took / 1000)

    def observe_batch(self, size: int) -> None:
        """Be told how many faces the network got at once."""
        self._batch_size.observe(size)

    def count_verdict(self, version: str, variant: str, verdict: str | None) -> None:
        """Be told of a result; None is a score without a verdict."""
        self._verdict(version, variant, verdict or "none").inc()

    def count_prediction(
        self, environment: str | None, version: str, media: str | None, status: int, seconds: float
    ) -> None:
        """Be told of a request to score something, as it is logged.

        Args:
            environment: that was served; None where a version was.
            version: that it was routed to, or ``none``.
            media: ``image``, ``video``; None where that was not found out.
            status: of HTTP.
            seconds: that it took.
        """
        where = environment or "", version, media or _NONE
        self._prediction(*where, str(status)).inc()
        self._prediction_took(*where).observe(seconds)

    def count_rate_limited(self) -> None:
        """Be told of a request that came too soon."""
        self._rate_limited.inc()

    def count_rows_dropped(self, rows: int = 1) -> None:
        """Be told of rows that could not be logged."""
        self._rows_dropped.inc(rows)

    def count_media_not_kept(self, count: int = 1) -> None:
        """Be told of uploads that reviewers will not find."""
        self._media_not_kept.inc(count)

    def count_shadows_skipped(self, count: int = 1) -> None:
        """Be told of requests that shadow versions did not score."""
        self._shadows_skipped.inc(count)

    def set_log_away(self, away: bool) -> None:
        """Be told whether this process cannot write the prediction log."""
        self._log_away.set(away)

    def set_queue(self, queue: Queue, length: int) -> None:
        """Be told how long a queue of this process is."""
        self._queue(queue).set(length)

    def set_jobs(self, states: Mapping[str, int]) -> None:
        """Be told how many jobs there are in each state, in all processes."""
        for state, count in states.items():
            self._jobs.labels(state).set(count)

    def set_served(self, environment: str, served: Sequence[Served], *, refused: bool) -> None:
        """Be told what this process serves, and whether the environment names a refused version.

        What it served before goes to 0: series cannot be taken back from several processes.
        """
        now = {(environment, one.version, one.variant): one.share for one in served}
        for labels in {*self._served, *now}:
            self._version_info.labels(*labels).set(labels in now)
            self._version_share.labels(*labels).set(now.get(labels, 0.0))
        self._served = dict.fromkeys(self._served, 0.0) | now
        self._refused.set(refused)
        self._begin_counts(environment, [one for one in served if one.variant != "shadow"])

    def _begin_counts(self, environment: str, served: Sequence[Served]) -> None:
        """Let counts stand at 0 before they rise: Prometheus sees no rise to a first value."""
        for version in (_NONE, *(one.version for one in served)):
            self._prediction(environment, version, _NONE, "503")
            self._prediction(environment, version, _NONE, "500")
        for one in served:
            for media in _KINDS:
                self._prediction(environment, one.version, media, "200")
                self._prediction_took(environment, one.version, media)

    def described(self) -> Iterator[Metric]:
        """Give each metric that this process counts, with its name, type and documentation."""
        return iter(self._registry.collect())

    def exposition(self, *more: Collector) -> tuple[bytes, str]:
        """Return what Prometheus reads, and its content type.

        Args:
            more: others to ask, whose metrics have other names.
        """
        of = self._registry
        if self._folder is not None:
            of = CollectorRegistry()
            MultiProcessCollector(of, path=str(self._folder))  # type: ignore[no-untyped-call]
            Processes(of, self._folder)
        return b"".join(generate_latest(one) for one in (of, *more)), CONTENT_TYPE_LATEST


class Measured:
    """ASGI middleware that counts requests; it stands before all others.

    Args:
        app: what answers.
        metrics: where they are counted.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()  # without an answer the server sends 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._metrics.count_request(scope["path"], status, time.perf_counter() - began)
