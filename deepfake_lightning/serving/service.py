"""What one server process has open: opened in order at its start, closed in order at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio import CapacityLimiter

from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.retention import Retention
from deepfake_lightning.monitoring.log.writer import LogWriter
from deepfake_lightning.monitoring.review import drawing, policy_of
from deepfake_lightning.monitoring.review.keeping import MediaKeeper
from deepfake_lightning.monitoring.review.media_files import media_folder
from deepfake_lightning.monitoring.review.sampling import Chances, chances
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.trust import loose_bundle, serving_bundle
from deepfake_lightning.serving.access.admission import Admission
from deepfake_lightning.serving.decoding import DecodingPool
from deepfake_lightning.serving.fleet.following import FixedFleet, Fleet, FollowingFleet
from deepfake_lightning.serving.fleet.lineup import Lineup, Network, open_version
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.metrics import Metrics
from deepfake_lightning.serving.telemetry.metrics import Served as ServedMetric
from deepfake_lightning.serving.uploads import Spool
from deepfake_lightning.storage import Workspace
from deepfake_lightning.temporary import temporary_folder

_STORAGE_THREADS = 4
_DESK = 32


@dataclass(frozen=True)
class Service:
    """What the routes work with.

    Attributes:
        settings: of the server.
        fleet: knows which versions serve.
        admission: places for requests.
        pool: decodes.
        place: of uploads under way and jobs: SQLite's locks hold on one machine.
        spool: takes bodies.
        shadows: places for what shadow versions score.
        desk: places for what people say of requests, or want erased.
        log: the prediction log.
        writer: writes to it.
        chances: with which requests are drawn for review.
        keeper: keeps their media, where the settings want that, and removes them.
        storage: threads for what may wait for a disk.
        metrics: for Prometheus.
        clock: the time in microseconds since 1970, UTC.
    """

    settings: Settings
    fleet: Fleet
    admission: Admission
    pool: DecodingPool
    place: Path
    spool: Spool
    shadows: Admission
    desk: Admission
    log: PredictionLog
    writer: LogWriter
    chances: Chances
    keeper: MediaKeeper
    storage: CapacityLimiter
    metrics: Metrics
    clock: Callable[[], int]


@contextmanager
def open_fleet(settings: Settings, metrics: Metrics) -> Iterator[Fleet]:
    """Open the versions that serve: each verified, checked, and signed where that is asked for.

    Raises:
        DeepfakeLightningError: one of them cannot serve.
    """
    cores = settings.cores
    with ThreadPoolExecutor(cores, thread_name_prefix="network") as threads:
        network = Network(threads, cores, settings.batch_size, settings.device, metrics)
        yield _fleet(settings, network, metrics)


def _fleet(settings: Settings, network: Network, metrics: Metrics) -> Fleet:
    workspace = Workspace(settings.workspace)
    registry = Registry(workspace)
    if settings.environment is not None:
        return FollowingFleet(
            workspace.environments / f"{settings.environment}.json",
            workspace.serving / f"{settings.environment}.json",
            lambda name: serving_bundle(registry, name, settings.environment),
            lambda bundle: open_version(bundle, network),
            lambda lineup, refused: _tell(metrics, lineup, refused),
        )
    bundle = (
        serving_bundle(registry, settings.version, None)
        if settings.version
        else loose_bundle(workspace, Path(str(settings.bundle)))
    )
    lineup = Lineup(None, "", (open_version(bundle, network),), (1.0,))
    _tell(metrics, lineup, None)
    return FixedFleet(lineup)


def _tell(metrics: Metrics, lineup: Lineup, refused: str | None) -> None:
    served = [
        ServedMetric(one.engine.version, share, "serving")
        for one, share in zip(lineup.serving, lineup.shares, strict=True)
    ]
    served += [ServedMetric(one.engine.version, 0.0, "shadow") for one in lineup.shadow]
    metrics.set_served(lineup.environment or "", served, refused=refused is not None)


@contextmanager
def open_service(
    settings: Settings,
    metrics: Metrics,
    fleet: Fleet,
    clock: Callable[[], int],
) -> Iterator[Service]:
    """Open all else that a process needs, and close it again; what was taken is finished first.

    Args:
        settings: of the server.
        metrics: for Prometheus.
        fleet: the versions that serve.
        clock: the time in microseconds since 1970, UTC.

    Raises:
        DeepfakeLightningError: something cannot be opened.
    """
    workspace, bounds = Workspace(settings.workspace), settings.bounds
    places, decoders = settings.places, settings.decoders
    with ExitStack() as stack:
        log = stack.enter_context(PredictionLog(settings.log_place))
        if settings.log_days is not None:
            stack.callback(Retention(log, settings.log_days, clock=clock).close)
        review = policy_of(workspace)
        writer = LogWriter(
            log, on_fault=lambda fault: metrics.set_log_away(fault is not None),
            draw=drawing(review),
        )  # fmt: skip
        stack.callback(writer.close)
        place = (
            stack.enter_context(temporary_folder("deepfake-uploads-"))
            if settings.apart
            else workspace.serving
        )
        spool = Spool(place / "uploads", bounds.body_seconds)
        stack.callback(spool.close)
        keeper = MediaKeeper(
            log, media_folder(workspace, log), review, written=writer.flush, clock=clock,
            on_lost=metrics.count_media_not_kept,
        )  # fmt: skip
        stack.callback(keeper.close)
        pool = DecodingPool(
            decoders, bounds.clip, lambda n: metrics.set_queue("decode", n), ahead=settings.ahead
        )
        stack.callback(pool.stop)
        fleet.start()
        stack.callback(fleet.stop)
        admission = Admission(places, decoders, lambda n: metrics.set_queue("places", n))
        shadows = Admission(places, decoders)
        desk = Admission(_DESK, _STORAGE_THREADS)
        threads = CapacityLimiter(_STORAGE_THREADS)
        yield Service(
            settings, fleet, admission, pool, place, spool, shadows, desk, log, writer,
            chances(review), keeper, threads, metrics, clock,
        )  # fmt: skip
