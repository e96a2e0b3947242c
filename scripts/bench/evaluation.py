"""How long an evaluation takes beside the forward passes that it rests on.

Forward passes of EfficientNet-Lite0 (random weights, PyTorch, CPU, batches of 32, no decoding)
over as many pictures as are evaluated; then measuring (2,000 resamples, three levels, thresholds,
groups) and writing the report. In turn, in one process; medians of the times give the ratio::

    python scripts/bench/evaluation.py --pictures 1350
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import timm
import torch
from common import print_json, print_table

from deepfake_lightning.evaluation.report import evaluate, write_report
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.schemas.predictions import predictions_rows


def drawn_subject(pictures: int) -> Subject:
    """Return the scores of a detector on pictures of half as many people, two data sets."""
    labels = np.arange(pictures) % 2
    logits = np.random.default_rng(0).normal(size=pictures) + 3 * labels - 1.5
    rows = {
        "schema": 1,
        "path": [f"{number}.jpg" for number in range(pictures)],
        "video_id": [str(number) for number in range(pictures)],
        "group_id": [str(number // 2) for number in range(pictures)],
        "dataset": np.where(np.arange(pictures) % 4 < 2, "a", "b"),
        "media_type": "image",
        "label": labels,
        "logit": logits,
        "status": "ok",
    }
    return Subject("drawn", predictions_rows(pd.DataFrame(rows), Path("drawn")))


def main() -> None:
    """Measure, and print seconds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1350)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    subject = drawn_subject(args.pictures)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=2).eval()
    batch = torch.randn(32, 3, args.size, args.size)
    times: dict[str, list[float]] = {"forward passes": [], "measuring": [], "writing": []}
    for _ in range(args.repeats + 1):  # the first warms up
        started = time.perf_counter()
        with torch.inference_mode():
            for _ in range(-(-args.pictures // 32)):
                network(batch)
        forward = time.perf_counter()
        found = evaluate(subject)
        measured = time.perf_counter()
        with TemporaryDirectory() as folder:
            write_report(Path(folder), found)
        written = time.perf_counter()
        for name, seconds in zip(
            times, (forward - started, measured - forward, written - measured), strict=True
        ):
            times[name].append(seconds)
    seconds = {name: statistics.median(each[1:]) for name, each in times.items()}
    ratio = (seconds["measuring"] + seconds["writing"]) / seconds["forward passes"]
    if args.json:
        print_json("evaluation", {"pictures": args.pictures, "seconds": seconds, "ratio": ratio})
        return
    rows = [[name, f"{value:.2f}"] for name, value in seconds.items()]
    print_table([["step", "seconds"], *rows, ["report / forward passes", f"{ratio:.3f}"]])


if __name__ == "__main__":
    main()
