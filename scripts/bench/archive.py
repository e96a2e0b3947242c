"""What ``predict`` does around the scoring of a large archive, against the floor of its disk.

Makes a folder of many names (hard links to a few pictures), and lists it, looks up in a ledger in
which all but ten items are done, scores those, and writes the tables. The floor of the listing is
``os.walk`` with a ``stat`` of every file. Scoring a picture takes about 10 ms on a core: what is
measured here is what comes on top. Then the rate over pictures that are scored, with one process
and with two, against ``Engine.assess`` in a loop::

    python scripts/bench/archive.py --items 100000
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from common import print_json, print_table

from deepfake_lightning.inference.archive import score_archive
from deepfake_lightning.inference.items import Archive, read_inputs
from deepfake_lightning.inference.ledger import Ledger
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.worker import opened

_SOURCES, _IN_A_FOLDER, _LEFT, _SCORED = 100, 1000, 10, 400


def plant(root: Path, count: int) -> Path:
    """Make ``count`` names of 100 pictures."""
    generator = np.random.default_rng(0)
    sources = []
    for number in range(_SOURCES):
        coarse = generator.integers(40, 210, (12, 12, 3)).astype(np.uint8)
        path = root / f"source{number}.jpg"
        cv2.imwrite(str(path), cv2.resize(coarse, (224, 224), interpolation=cv2.INTER_CUBIC))
        sources.append(path)
    folder = root / "archive"
    for number in range(count):
        place = folder / f"d{number // _IN_A_FOLDER:05d}"
        if number % _IN_A_FOLDER == 0:
            place.mkdir(parents=True)
        os.link(sources[number % _SOURCES], place / f"p{number % _IN_A_FOLDER:04d}.jpg")
    return folder


def walk(folder: Path) -> float:
    """Return the seconds of the floor."""
    began = time.perf_counter()
    for parent, _, names in os.walk(folder):
        for name in names:
            os.stat(f"{parent}/{name}")  # noqa: PTH116  (the floor: no objects are made)
    return time.perf_counter() - began


def fill(archive: Archive, out: Path, source: EngineSource) -> None:
    """Write the ledger of a run that was stopped before its last ten items."""
    engine = opened(source)
    settings = {"schema": 1, "already_cropped": True, "detector": engine.digest,
                "runtime": "onnx", "device": "cpu", "precision": "fp32"}  # fmt: skip
    ledger = Ledger(out, settings)
    ledger.open()
    first = next(iter(archive))
    found = engine.assess(first.pictures[0].path, already_cropped=True)
    for place, item in enumerate(archive):
        if place < len(archive) - _LEFT:
            record = found.__class__(**{**found.__dict__, "name": item.name})
            ledger.write(item, record)
    ledger.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bundle", type=Path, default=Path("mlops/runs/demo/v1.0.0/bundle"))
    parser.add_argument("--items", type=int, default=100_000, help="names (default: 100,000)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    source = EngineSource(args.bundle)
    with tempfile.TemporaryDirectory() as place:
        folder = plant(Path(place), args.items)
        walk(folder)  # the names are read into memory once
        floor = walk(folder)
        began = time.perf_counter()
        archive = Archive(read_inputs([str(folder)]), already_cropped=True)
        phases = [("listing", time.perf_counter() - began)]
        out = Path(place, "scores.parquet")
        fill(archive, out, source)
        marks = [("opening the ledger", time.perf_counter())]
        score_archive(
            archive, source, out,
            phase=lambda what, number: marks.append((what, time.perf_counter())),
        )  # fmt: skip
        marks.append(("", time.perf_counter()))
        phases += [(what, after - at) for (what, at), (_, after) in pairwise(marks)]
        rates = scored(Path(place), source)
    print(f"{args.items:,} items, seconds")
    print_table([["", "seconds", "µs an item"],
                 *([what, f"{s:.1f}", f"{1e6 * s / args.items:.0f}"]
                   for what, s in [("floor: os.walk and stat", floor), *phases])])  # fmt: skip
    print_table([["", "pictures a second", "over the loop"],
                 *([name, f"{rate:.0f}", f"{rate / rates['Engine.assess in a loop']:.2f}"]
                   for name, rate in rates.items())])  # fmt: skip
    if args.json:
        seconds = {what: round(s, 2) for what, s in phases}
        rates = {name: round(rate, 1) for name, rate in rates.items()}
        result = {"floor_s": round(floor, 2), "phases_s": seconds, "per_second": rates}
        print_json("archive", {"items": args.items, **result})


def scored(place: Path, source: EngineSource) -> dict[str, float]:
    """Return pictures a second of a plain loop, and of ``predict`` with one and two processes."""
    (place / "more").mkdir()
    folder = plant(place / "more", _SCORED)
    paths = sorted(folder.rglob("*.jpg"))
    engine = opened(source)
    began = time.perf_counter()
    for path in paths:
        engine.assess(path, already_cropped=True)
    rates = {"Engine.assess in a loop": len(paths) / (time.perf_counter() - began)}
    for workers in (1, 2):
        archive = Archive(read_inputs([str(folder)]), already_cropped=True)
        times: list[float] = []
        mark = partial(_mark, times)
        score_archive(archive, source, workers=workers, progress=mark)
        # From the first result on: starting the processes is not what is asked here.
        rates[f"{workers} processes"] = (len(times) - 1) / (times[-1] - times[0])
    return rates


def _mark(times: list[float], _: object) -> None:
    times.append(time.perf_counter())


if __name__ == "__main__":
    main()
