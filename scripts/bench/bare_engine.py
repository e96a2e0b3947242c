"""The engine in a loop, one process and one onnxruntime thread to a core: the floor of serving.

Run as ``python bare_engine.py BUNDLE PICTURE``, it scores the picture for as many seconds as each
line of its input says, and answers with how many milliseconds each time took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BareEngines:
    """Processes that wait for their turn.

    Args:
        processes: that have been started, one to a core.

    Attributes:
        pids: of them.
    """

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes
        self.pids = [process.pid for process in processes]
        self.run(1.0)

    def run(self, seconds: float) -> tuple[float, list[float]]:
        """Return pictures a second of all together, and milliseconds of each."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        rate, found = 0.0, list[float]()
        for process in self._processes:
            assert process.stdout is not None
            taken = json.loads(process.stdout.readline())
            rate += 1000 * len(taken) / sum(taken)
            found += taken
        return rate, found


@contextmanager
def bare_engines(bundle: Path, picture: Path, processes: int) -> Iterator[BareEngines]:
    """Start processes that score a picture, and end them."""
    command = [sys.executable, __file__, str(bundle), str(picture)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        yield BareEngines(started)
    finally:
        for process in started:
            process.kill()
            process.communicate()


def _serve_lines(bundle: Path, picture: Path) -> None:
    import cv2

    from deepfake_lightning.inference import EngineSource

    cv2.setNumThreads(0)  # the processes are the parallelism
    engine, data = EngineSource(bundle).open(), picture.read_bytes()
    for line in sys.stdin:
        taken, end = [], time.perf_counter() + float(line)
        while (began := time.perf_counter()) < end:
            assert engine.assess(data).status == "ok"
            taken.append(1000 * (time.perf_counter() - began))
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    _serve_lines(Path(sys.argv[1]), Path(sys.argv[2]))
