"""How much CPU time networks take for one picture, in turns, each in a process of its own.

Not wall-clock time, which on a machine that others use differs by half from one minute to the next
for one and the same network. What users wait for is measured with a server, under load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from deepfake_lightning.deployment.gate.evidence import Timed
from deepfake_lightning.inference.benchmark.figures import spread
from deepfake_lightning.inference.benchmark.network_calls import RowSetup, open_row, time_calls
from deepfake_lightning.inference.benchmark.own_process import own_processes
from deepfake_lightning.registry import Registry

_ROUNDS = 5
_LEAST_CALLS = 30
_LONGEST = 12.0  # seconds of a round
Progress = Callable[[str, int, int], None]


def time_networks(
    registry: Registry, versions: Sequence[str], seconds: float, progress: Progress
) -> Timed:
    """Time the candidate, and what serves now in turns with it, so that others meet both alike.

    Args:
        registry: where they are.
        versions: the candidate, and the other one where there is one.
        seconds: of each.
        progress: told what is done, how much of it is, and how much there is.

    Raises:
        BundleError: one is damaged.
        UsageError: one cannot be run.
    """
    setups = [_setup(registry, version) for version in versions]
    taken: list[list[float]] = [[] for _ in setups]
    with own_processes([f"timing {version}" for version in versions]) as processes:
        for wait in [one.start(open_row, s) for one, s in zip(processes, setups, strict=True)]:
            wait()
        for turn in range(_ROUNDS):
            for place, (process, setup) in enumerate(zip(processes, setups, strict=True)):
                done = turn * len(setups) + place
                progress(f"timing {versions[place]}", done, _ROUNDS * len(setups))
                least = math.ceil(_LEAST_CALLS / _ROUNDS)
                calls = process.run(time_calls, setup, seconds / _ROUNDS, least, _LONGEST)
                taken[place].append(1000 * calls.cpu_seconds / len(calls.seconds))
    if len(versions) == 1:
        return Timed(median(taken[0]), None, None, spread(taken[0]))
    first, second = taken
    ratio = median(a / b for a, b in zip(first, second, strict=True))
    return Timed(median(first), median(second), ratio, spread(first))


def _setup(registry: Registry, version: str) -> RowSetup:
    from deepfake_lightning.inference.opening import EngineSource

    bundle = registry.bundle(version)
    source = EngineSource(bundle.folder, digest=bundle.digest)
    record = bundle.record
    return RowSetup(
        source, "onnx", "cpu", "fp32", 1, 1, bundle.preprocess.size, record.features
    )  # fmt: skip
