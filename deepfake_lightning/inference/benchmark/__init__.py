"""How fast a detector is on this machine: its network, and media from file to verdict.

Every row of the network and each worker of the media is timed in a process of its own, as
``predict`` has them; nothing is printed here.

Example:
    >>> source = EngineSource(bundle=Path("mlops/runs/demo/v1.0.0/bundle"))  # doctest: +SKIP
    >>> found = measure(source, Plan(runtimes=("onnx",), batches=(1,), clips=0))  # doctest: +SKIP
    >>> found.row("onnx", batch=1).p95_ms  # doctest: +SKIP
"""

from deepfake_lightning.inference.benchmark.device import device_record
from deepfake_lightning.inference.benchmark.measure import measure
from deepfake_lightning.inference.benchmark.plan import Plan
from deepfake_lightning.inference.benchmark.record import BenchmarkRecord

__all__ = ["BenchmarkRecord", "Plan", "device_record", "measure"]
