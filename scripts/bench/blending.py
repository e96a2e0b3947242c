"""How long a self-blended pair takes, against two pictures that are read and augmented as usual.

A training shows as many pictures either way: a real face and the fake made of it, or two of the
data. Here the two are the same real face twice, with two seeds: both sides read the same files.
Both sides end with bytes of the input's size, in this process, one after the other in every
round. The floor is what no pair can do without: reading one picture and resizing it. The goal is a
pair in less than 4 times of the usual two: a core then still prepares many more pictures than a
core trains on. Run::

    python scripts/bench/blending.py

Without ``--data`` the pictures are random textures in a temporary folder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from common import figures, print_json, print_table, restart_tuned, spread, verdict, write_pictures

from deepfake_lightning import DeepfakeDataModule
from deepfake_lightning.data.blending import Blending
from deepfake_lightning.data.pair_sampler import PairDraw, Side
from deepfake_lightning.media import read_image, resize

GOAL = 4.0
CONFIGS = Path(__file__).parents[2] / "configs"


def milliseconds(work: Callable[[int], object], count: int) -> float:
    """Return the time of one of ``count`` calls, each with its number."""
    start = time.perf_counter()
    for number in range(count):
        work(number)
    return 1000 * (time.perf_counter() - start) / count


def settings(name: str) -> dict[str, Any]:
    """Return the augmentation of a configuration."""
    data = yaml.safe_load((CONFIGS / name).read_text(encoding="utf-8"))["data"]
    return {"augmentation": data["augmentation"]} if "augmentation" in data else {}


def main() -> None:
    """Measure, and print milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a data set of face crops")
    parser.add_argument("--size", type=int, default=224, help="side of the input (default: 224)")
    parser.add_argument("--pairs", type=int, default=48, help="of a round (default: 48)")
    parser.add_argument("--rounds", type=int, default=7, help="of each (default: 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    restart_tuned()
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as name:
        root = args.data or write_pictures(Path(name, "data"), 4 * args.pairs, 8, args.size)
        shared = {"batch_size": 32, "image_size": args.size}
        usual = DeepfakeDataModule(str(root), **shared, **settings("lite0.yaml")).dataset("train")
        blended = DeepfakeDataModule(
            str(root), blending=Blending(), **shared, **settings("sbi.yaml")
        ).dataset("train")
        if len(blended) < args.pairs:
            raise SystemExit(f"{len(blended)} real faces, {args.pairs} are needed: --pairs")
        places = {row: at for at, row in enumerate(usual.rows.tolist())}
        reals = [places[row] for row in blended.rows[: args.pairs].tolist()]
        seeds = np.random.default_rng(0).integers(0, 2**31 - 1, args.pairs).tolist()

        def floor(number: int) -> None:
            resize(read_image(usual.path(reals[number])), usual.preprocess)  # type: ignore[union-attr]

        def two(number: int) -> None:
            for seed in (seeds[number], seeds[number] + 1):
                usual[(reals[number], seed)]

        def pair(number: int) -> None:
            for side in (Side.REAL, Side.FAKE):
                blended[PairDraw(number, seeds[number], 0, side)]

        works = {"read and resize one": floor, "two, augmented as usual": two,
                 "a pair, real and self-blended": pair}  # fmt: skip
        times: dict[str, list[float]] = {row: [] for row in works}
        for number in range(args.rounds + 1):
            for row, work in works.items():
                taken = milliseconds(work, args.pairs)
                if number:  # the first round reads the files into memory
                    times[row].append(taken)

    rows = [["", "ms", "of the usual two"]]
    result: dict[str, Any] = {"rounds": args.rounds, "size": args.size}
    bases = times["two, augmented as usual"]
    for row, taken in times.items():
        ratios = [one / base for one, base in zip(taken, bases, strict=True)]
        rows.append([row, spread(taken, 2), spread(ratios, 2)])
        result[row] = {"ms": figures(taken), "ratio": figures(ratios)}
    print(f"median (lowest-highest) of {args.rounds} rounds of {args.pairs}, {args.size} pixels")
    print_table(rows)
    print(f"a pair: {verdict(statistics.median(ratios), GOAL, at_least=False)}")
    if args.json:
        print_json("blending", result)


if __name__ == "__main__":
    main()
