"""The versions that serve, opened and checked, with their shares of the traffic."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.inference import Engine, EngineSource
from deepfake_lightning.inference.golden_check import golden_difference
from deepfake_lightning.monitoring.log.projection import projection_of, reference_of
from deepfake_lightning.serving.batching import Batcher
from deepfake_lightning.serving.fleet.routing import choose, place_of
from deepfake_lightning.serving.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Network:
    """Where the networks of all versions run.

    Attributes:
        threads: shared by the versions.
        slots: runs of one version at a time.
        most: faces in one run.
        device: ``cpu``, ``cuda``, ...
        metrics: told the size of each batch.
    """

    threads: ThreadPoolExecutor
    slots: int
    most: int
    device: str
    metrics: Metrics


@dataclass(frozen=True, eq=False)
class Served:
    """A version that is open. It closes when the last request that uses it is done.

    Attributes:
        engine: what scores.
        batcher: runs its network.
        folder: of its bundle; None for an engine without one.
        reference: ``mean`` [F] and ``components`` [K, F] of its reference pictures, float64;
            None for an engine without a bundle.
    """

    engine: Engine
    batcher: Batcher
    folder: Path | None = None
    reference: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def project(self, features: NDArray[np.float32]) -> bytes | None:
        """Return the projection of an item's features [N, F]; None without faces or reference."""
        if self.reference is None or not len(features):
            return None
        return projection_of(features, *self.reference)


@dataclass(frozen=True)
class Lineup:
    """Who serves: it is never changed, another one takes its place.

    Attributes:
        environment: whose it is; None where a version or bundle is served.
        experiment: that deals the clients.
        serving: the versions that answer; empty where nothing is deployed.
        shares: of the traffic, as many, which sum to 1.
        shadow: versions that score the same requests and do not answer.
    """

    environment: str | None = None
    experiment: str = ""
    serving: tuple[Served, ...] = ()
    shares: tuple[float, ...] = ()
    shadow: tuple[Served, ...] = ()

    def choose(self, key: str) -> Served | None:
        """Return the version for a client's key; None where nothing is deployed."""
        if not self.serving:
            return None
        return self.serving[choose(self.shares, place_of(self.experiment, key))]

    def find(self, digest: str) -> Served | None:
        """Return the version with a bundle's digest, None where none of these has it."""
        both = (*self.serving, *self.shadow)
        return next((one for one in both if one.engine.digest == digest), None)


def open_version(bundle: Bundle, network: Network) -> Served:
    """Open a bundle, and see that it scores here as where it was built.

    Its golden pictures also warm it up: the first request is as fast as the others.

    Raises:
        BundleError: it is damaged or changed, or scores otherwise.
        UsageError: it cannot be run on the device.
    """
    engine = EngineSource(bundle.folder, device=network.device, digest=bundle.digest).open()
    golden_difference(engine, bundle)
    return Served(engine, batcher_of(engine, network), bundle.folder, reference_of(bundle))


def batcher_of(engine: Engine, network: Network) -> Batcher:
    """Return what runs an engine's network for many requests."""
    return Batcher(
        engine, network.threads, slots=network.slots, most=network.most,
        on_batch=network.metrics.observe_batch,
        on_change=lambda length: network.metrics.set_queue("batch", length),
    )  # fmt: skip
