"""One row of the network, in the process that is the row's own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.load import ONNX
from deepfake_lightning.errors import DeepfakeLightningError, UsageError
from deepfake_lightning.inference.benchmark.own_process import peak_memory_mb
from deepfake_lightning.inference.benchmark.plan import RuntimeKind
from deepfake_lightning.inference.onnx_runtime import OnnxRuntime
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.runtime import Runtime

_WARM_UP_CALLS, _WARM_UP_SECONDS = 3, 0.5
_COMPARED = 8


@dataclass(frozen=True)
class RowSetup:
    """What one row runs.

    Attributes:
        source: the detector.
        runtime: what runs it.
        device: ``cpu``, ``cuda``, ...
        precision: of PyTorch.
        threads: of one call, on a CPU.
        batch: pictures in a call.
        size: side of the input, pixels.
        features: width of the features.
        graph: of this size, where it was exported for this; None: the bundle's own.
    """

    source: EngineSource
    runtime: RuntimeKind
    device: str
    precision: Literal["fp32", "bf16"]
    threads: int
    batch: int
    size: int
    features: int
    graph: Path | None = None

    def __str__(self) -> str:
        return f"{self.runtime}, batch {self.batch}, {self.size} px"


def open_row(setup: RowSetup) -> NDArray[np.float32]:
    """Open the network and run it until it is warm.

    Returns:
        logits float32 [8], of pictures that are the same for all rows of one size.

    Raises:
        UsageError: it cannot run pictures of that size, or so many of them.
        BundleError, CheckpointError: it cannot be read.
    """
    try:
        runtime, inputs = _opened(setup)
        places = range(0, _COMPARED, setup.batch)
        shown = [inputs[at : at + setup.batch] for at in places]
        logits = np.concatenate([runtime.run(part)[0] for part in shown])[:_COMPARED]
        began, calls = time.perf_counter(), 0
        while calls < _WARM_UP_CALLS or time.perf_counter() - began < _WARM_UP_SECONDS:
            runtime.run(inputs[: setup.batch])
            calls += 1
    except DeepfakeLightningError:
        raise
    except Exception as error:  # both runtimes raise many kinds of their own
        raise UsageError(
            f"{setup} cannot be run: {_first_line(error)}",
            next_step="take other --batches or --sizes",
        ) from error
    return logits


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


@dataclass(frozen=True)
class Calls:
    """How long calls took.

    Attributes:
        seconds: of each, wall clock.
        cpu_seconds: that the process was given meanwhile, of all cores.
    """

    seconds: list[float]
    cpu_seconds: float


def time_calls(setup: RowSetup, seconds: float, least: int, longest: float) -> Calls:
    """Return how long calls took.

    The first call after a pause is not among them: other rows have had the caches since.

    Args:
        setup: the row.
        seconds: how long calls are made.
        least: how many are made even if that takes longer.
        longest: seconds after which no further call is made.
    """
    runtime, inputs = _opened(setup)
    inputs = inputs[: setup.batch]
    runtime.run(inputs)
    found: list[float] = []
    worked, start = time.process_time(), time.perf_counter()
    while (passed := time.perf_counter() - start) < longest or not found:
        if passed >= seconds and len(found) >= least:
            break
        began = time.perf_counter()
        runtime.run(inputs)  # returns numbers in memory: a GPU has been waited for
        found.append(time.perf_counter() - began)
    return Calls(found, time.process_time() - worked)


def peaks(setup: RowSetup) -> tuple[float | None, float | None]:
    """Return the peak of this process's memory, and of the GPU's; 10^6 bytes."""
    if setup.runtime != "torch":
        return peak_memory_mb(), None
    from deepfake_lightning.inference.benchmark.torch_side import peak_gpu_memory_mb

    return peak_memory_mb(), peak_gpu_memory_mb(setup.device)


@lru_cache(maxsize=1)
def _opened(setup: RowSetup) -> tuple[Runtime, NDArray[np.float32]]:
    return _runtime(setup), _inputs(max(setup.batch, _COMPARED), setup.size)


def _runtime(setup: RowSetup) -> Runtime:
    if setup.runtime == "torch":
        from deepfake_lightning.inference.benchmark.torch_side import open_torch

        return open_torch(setup.source, setup.device, setup.precision, setup.threads)
    if setup.graph is not None:
        data, name = setup.graph.read_bytes(), "the exported graph"
    else:
        assert setup.source.bundle is not None
        data, name = load_bundle(setup.source.bundle).read(ONNX), str(setup.source.bundle / ONNX)
    return OnnxRuntime(data, name, size=setup.size, features=setup.features, threads=setup.threads)


def _inputs(count: int, size: int) -> NDArray[np.float32]:
    """Return normal noise [N, 3, S, S]: what it shows has no part in the speed."""
    inputs = np.empty((count, 3, size, size), np.float32)
    for place in range(count):
        np.random.default_rng([size, place]).standard_normal(dtype=np.float32, out=inputs[place])
    return inputs
