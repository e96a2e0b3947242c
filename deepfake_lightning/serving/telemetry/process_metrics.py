"""Memory, processor time and open files of each process of a server, as Linux tells them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Processes(Collector):
    """The standard ``process_`` metrics, with the label ``pid``. Without ``/proc`` there are none.

    Args:
        registry: where they are read.
        folder: in which the server's processes add up; None for this process alone.
    """

    def __init__(self, registry: CollectorRegistry, folder: Path | None) -> None:
        self._folder = folder
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Return what they are now."""
        metrics: dict[str, Metric] = {}
        for pid in self._pids():
            for of_one in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                metric = metrics.setdefault(
                    of_one.name, Metric(of_one.name, of_one.documentation, of_one.type)
                )
                for sample in of_one.samples:
                    metric.add_sample(sample.name, {"pid": pid}, sample.value)
        return metrics.values()

    def _pids(self) -> list[str]:
        if self._folder is None:
            return [str(os.getpid())]
        # Each process has such a file: all of them say what they run.
        return [file.stem.rpartition("_")[2] for file in self._folder.glob("gauge_livemax_*.db")]
