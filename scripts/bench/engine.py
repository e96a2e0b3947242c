"""How fast the engine scores, against a bare onnxruntime loop on the same decoded pictures.

Both run one thread on one exported network, in turns, on the same 224 x 224 crops: the bare loop
normalises with numpy and calls ``session.run``; the engine does all that it does for a user. The
last rows begin with the bytes of JPEG files instead: ``cv2.imdecode`` before the bare loop, and
``Engine.assess`` (checks, decoding, scores, quality, times). The weights are random: they have no
part in the speed. Then the start of an engine in a process of its own: seconds and memory::

    python scripts/bench/engine.py --backbone efficientnet_b0 --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from common import figures, print_json, print_table, spread, verdict
from numpy.typing import NDArray

from deepfake_lightning.bundle.export import ServedNetwork, export_onnx
from deepfake_lightning.bundle.onnx_session import INPUT, OUTPUTS, open_session
from deepfake_lightning.inference import Engine
from deepfake_lightning.inference.onnx_runtime import OnnxRuntime
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.schemas import Calibration, Preprocess

GOAL = 0.9
PICTURES = 64
STARTS = {
    "python -c pass": "pass",
    "import onnxruntime, cv2, numpy": "import onnxruntime, cv2, numpy",
    "open the engine": "{open}",
    "open it, score a picture": "{open}; engine.assess(pathlib.Path({picture!r}))",
    "import torch": "import torch",
}
OPEN = """
import pathlib
from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.onnx_runtime import OnnxRuntime
from deepfake_lightning.schemas import Calibration, Preprocess
runtime = OnnxRuntime(
    pathlib.Path({onnx!r}).read_bytes(), "model.onnx", size=224, features={features}
)
engine = Engine(runtime, Preprocess(), Calibration(), version="v0", digest="")
""".strip()
MEASURE = """
import time
began = time.perf_counter()
{code}
seconds = time.perf_counter() - began
peak = next(l for l in open("/proc/self/status") if l.startswith("VmHWM"))  # of this program alone
print(seconds, int(peak.split()[1]) / 1024)
"""


def pictures(count: int, size: int) -> list[NDArray[np.uint8]]:
    """Return smooth random textures, uint8 [size, size, 3]."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(40, 210, (count, 12, 12, 3)).astype(np.uint8)
    return [cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC) for one in coarse]


def bare_loop(onnx: bytes, preprocess: Preprocess) -> Callable[[list[NDArray[np.uint8]]], None]:
    """Return what a user would write without a framework."""
    session = open_session(onnx, "model.onnx", threads=1)
    mean = np.asarray(preprocess.mean, np.float32) * 255
    std = np.asarray(preprocess.std, np.float32) * 255

    def run(crops: list[NDArray[np.uint8]]) -> None:
        batch = (np.stack(crops).astype(np.float32) - mean) / std
        inputs = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        session.run(list(OUTPUTS), {INPUT: inputs})

    return run


def rate(function: Callable[[], None], images: int) -> float:
    """Return pictures a second."""
    began = time.perf_counter()
    function()
    return images / (time.perf_counter() - began)


def in_batches(
    run: Callable[[list[NDArray[np.uint8]]], object], crops: list[NDArray[np.uint8]], size: int
) -> Callable[[], None]:
    """Return a function that runs all crops, ``size`` at a time."""

    def all_of_them() -> None:
        for start in range(0, len(crops), size):
            run(crops[start : start + size])

    return all_of_them


def throughput(
    onnx: bytes, features: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return pictures a second of the bare loop and of the engine, by case, a figure a round."""
    preprocess = Preprocess()
    bare = bare_loop(onnx, preprocess)
    runtime = OnnxRuntime(onnx, "model.onnx", size=preprocess.size, features=features)
    engine = Engine(runtime, preprocess, Calibration(), version="v0", digest="")
    crops = pictures(PICTURES, preprocess.size)
    files = [cv2.imencode(".jpg", crop)[1].tobytes() for crop in crops]

    def bare_from_bytes() -> None:
        for data in files:
            bare([cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)])

    def engine_from_bytes() -> None:
        for data in files:
            assert engine.assess(data).status == "ok"

    cases: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        f"crops, batch {size}": (
            in_batches(bare, crops, size),
            in_batches(engine.logits, crops, size),
        )
        for size in (1, 8, 32)
    }
    cases["JPEG bytes, one by one"] = (bare_from_bytes, engine_from_bytes)
    slow: dict[str, list[float]] = {name: [] for name in cases}
    own: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, (floor, ours) in cases.items():
            pair = rate(floor, PICTURES), rate(ours, PICTURES)
            if number:  # the first round warms up
                slow[name].append(pair[0])
                own[name].append(pair[1])
    return slow, own


def starts(onnx: bytes, features: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return seconds and MB of new processes, by what they do."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in STARTS}
    with tempfile.TemporaryDirectory() as folder:
        graph, picture = Path(folder, "model.onnx"), Path(folder, "face.png")
        graph.write_bytes(onnx)
        cv2.imwrite(str(picture), pictures(1, 224)[0])
        opening = OPEN.format(onnx=str(graph), features=features)
        for number in range(rounds + 1):
            for name, text in STARTS.items():
                code = text.replace("{open}", opening).replace("{picture!r}", repr(str(picture)))
                done = subprocess.run(
                    [sys.executable, "-c", MEASURE.format(code=code)],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                if number:
                    seconds, memory = map(float, done.stdout.split())
                    found[name].append((seconds, memory))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backbone", default="efficientnet_b0", help="timm's name")
    parser.add_argument("--rounds", type=int, default=5, help="times each is run (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    detector = DeepfakeDetector(args.backbone, pretrained=False).eval()
    features = detector.head.in_features
    onnx = export_onnx(ServedNetwork(detector), Preprocess().size)

    floor, own = throughput(onnx, features, args.rounds)
    ratios = {
        name: statistics.median(a / b for a, b in zip(own[name], floor[name], strict=True))
        for name in own
    }
    print(f"{args.backbone}, one thread, pictures a second: median (lowest-highest) of "
          f"{args.rounds} rounds")  # fmt: skip
    print_table([
        ["", "bare loop", "engine", "ratio"],
        *([name, spread(floor[name]), spread(own[name]), f"{ratios[name]:.2f}"] for name in own),
    ])  # fmt: skip
    worst = min(ratio for name, ratio in ratios.items() if name.startswith("crops"))
    print(f"lowest ratio on decoded crops: {worst:.2f} ({verdict(worst, GOAL, at_least=True)})\n")
    found = starts(onnx, features, args.rounds)
    print_table([
        ["a new process", "seconds", "MB"],
        *([name, spread([s for s, _ in pairs], 2), spread([mb for _, mb in pairs], 0)]
          for name, pairs in found.items()),
    ])  # fmt: skip
    if args.json:
        print_json("engine", {
            "backbone": args.backbone,
            "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
            "per_second": {name: figures(values) for name, values in own.items()},
            "start_s": {name: figures([s for s, _ in pairs]) for name, pairs in found.items()},
            "memory_mb": {name: figures([mb for _, mb in pairs]) for name, pairs in found.items()},
        })  # fmt: skip


if __name__ == "__main__":
    main()
