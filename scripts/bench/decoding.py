"""What looking at a clip costs, against decoding it: the two readers, and finding faces.

The floor is ``ffmpeg -threads 1 -i CLIP -f null -``, which decodes every frame and throws it away.
Against it stand PyAV as the package uses it (frames that nobody looks at are decoded only where
others refer to them) and decord, for 16 frames of each clip and for all, and finding and cutting
out the faces of those 16. CPU seconds over all clips; everything takes turns in every round. Run::

    python scripts/bench/decoding.py FOLDER_OR_CLIP ...

``ffmpeg`` has to be installed. Clips that decord is not trusted with are left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
from common import figures, print_json, print_table, spread

from deepfake_lightning.data.extraction import list_sources
from deepfake_lightning.media import FaceReader, decord_reading, open_video, pyav_reading
from deepfake_lightning.schemas import Preprocess, Sampling

FLOOR = "ffmpeg -f null"
EVEN = Sampling.parse("even:16")


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return what a piece of work costs, this process and its children together."""

    def spent() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    before = spent()
    work()
    return spent() - before


def measure(path: Path, faces: FaceReader) -> dict[str, float]:
    """Return the CPU seconds of each way to look at a clip."""
    with open_video(path) as video:
        source, index, turn = video._source, video._index, video._turn
        some, everything = video.choose(EVEN).tolist(), list(range(video.info.frames))

        def drain(frames: Any) -> None:
            for _ in frames:
                pass

        frames = list(video.read(some))
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path), "-an", "-f", "null", "-"]
    ways: dict[str, Callable[[], object]] = {
        FLOOR: lambda: subprocess.run(command, check=True, stdin=subprocess.DEVNULL),
        "open_video": lambda: open_video(path),
        "PyAV, 16 frames": lambda: drain(pyav_reading.read_frames(source, index, some, turn)),
        "decord, 16 frames": lambda: drain(decord_reading.read_frames(source, some)),
        "PyAV, all": lambda: drain(pyav_reading.read_frames(source, index, everything, turn)),
        "decord, all": lambda: drain(decord_reading.read_frames(source, everything)),
        "faces of 16 frames": lambda: drain(faces.faces(frames)),
    }
    return {name: cpu_seconds(work) for name, work in ways.items()}


def main() -> None:
    """Measure, and print CPU seconds and the share of the floor."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("inputs", type=Path, nargs="+", help="videos, or folders of them")
    parser.add_argument("--rounds", type=int, default=3, help="of each (default: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg is not installed: it is the floor")
    cv2.setNumThreads(0)
    faces = FaceReader(Preprocess(input="frame"))
    found = [s.file for s in list_sources(args.inputs) if s.fields["media_type"] == "video"]
    clips = [path for path in found if open_video(path).info.reader == "decord"]
    totals: dict[str, list[float]] = {}
    started = time.perf_counter()
    for _ in range(args.rounds):
        costs = [measure(path, faces) for path in clips]
        for name in costs[0]:
            totals.setdefault(name, []).append(sum(cost[name] for cost in costs))
    rows = [["", "CPU seconds", "of the floor"]]
    result: dict[str, Any] = {"rounds": args.rounds, "clips": len(clips)}
    for name, seconds in totals.items():
        ratios = [own / floor for own, floor in zip(seconds, totals[FLOOR], strict=True)]
        rows.append([name, spread(seconds, 2), spread(ratios, 2)])
        result[name] = {"cpu_s": figures(seconds), "ratio": figures(ratios)}
    print(f"median (lowest-highest) of {args.rounds} rounds, {len(clips)} of {len(found)} clips, "
          f"{time.perf_counter() - started:.0f} s in all")  # fmt: skip
    print_table(rows)
    if args.json:
        print_json("decoding", result)


if __name__ == "__main__":
    main()
