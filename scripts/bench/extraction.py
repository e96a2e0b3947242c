"""How fast ``extract`` is, against the least that its clips cost: decoding them.

The floor is ``ffmpeg -threads 1 -i CLIP -f null -`` for the same clips, as many at a time as
``extract`` has processes; it decodes every frame and throws it away. ``extract`` also finds faces,
cuts them out, compresses them and syncs them to disk. Its processes are at work before the clock
starts (a first, uncounted run), and each round is a new folder. Both take turns in every round. The
goal is at least 0.7 of the floor. That needs as many idle cores as processes. Run::

    python scripts/bench/extraction.py FOLDER_OR_CLIP ...

``ffmpeg`` has to be installed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import figures, print_json, print_table, spread, verdict

from deepfake_lightning.data.extraction import Source, Summary, extract, list_sources
from deepfake_lightning.schemas import Extraction

GOAL = 0.7


def floor_seconds(sources: list[Source], workers: int) -> float:
    """Return how long ffmpeg takes to decode all clips."""

    def decode(source: Source) -> None:
        command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(source.file),
                   "-an", "-f", "null", "-"]  # fmt: skip
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode, sources))
    return time.perf_counter() - start


def extract_seconds(
    sources: list[Source], inputs: list[Path], settings: Extraction, workers: int
) -> tuple[float, Summary]:
    """Return how long ``extract`` takes, from the first clip to the manifest.

    The start of Python's processes is a second or two, once; over the thousands of clips of a
    data set it is nothing, and here it would be most of it. So the clock starts when the first
    of an extra set of clips, one a process, is done.
    """
    with tempfile.TemporaryDirectory() as name:
        started: list[float] = []
        warm = [_copy(source, Path(name), number) for number, source in
                enumerate(sources[:1] * workers)]  # fmt: skip

        def progress(_: object) -> None:
            started.append(time.perf_counter())

        summary = extract(
            [*warm, *sources], inputs, Path(name, "out"), settings, workers=workers,
            progress=progress,
        )  # fmt: skip
        return time.perf_counter() - started[workers - 1], summary


def _copy(source: Source, folder: Path, number: int) -> Source:
    """Return a source that is done before all others: its key stands first."""
    return Source(f" warm/{number}.mp4", source.file, source.fields)


def main() -> None:
    """Measure, and print clips and frames a second and the ratio to the floor."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("inputs", type=Path, nargs="+", help="videos, or folders of them")
    parser.add_argument("--rounds", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--sampling", default="even:16", help="frames a clip (default: even:16)")
    parser.add_argument("--repeat", type=int, default=2, help="times each clip (default: 2)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg is not installed: it is the floor")
    found = [s for s in list_sources(args.inputs) if s.fields["media_type"] == "video"]
    sources = [
        Source(f"{number}/{source.key}", source.file, source.fields)
        for number in range(args.repeat)
        for source in found
    ]
    settings = Extraction(sampling=args.sampling)
    rows = [["", "seconds", "clips a second", "of the floor"]]
    result: dict[str, Any] = {"rounds": args.rounds, "clips": len(sources)}
    verdicts = []
    for workers in (1, 2):
        floors, taken = [], []
        for _ in range(args.rounds):
            floors.append(floor_seconds(sources, workers))
            seconds, summary = extract_seconds(sources, args.inputs, settings, workers)
            taken.append(seconds)
        ratios = [floor / own for floor, own in zip(floors, taken, strict=True)]
        for name, seconds_of in (("ffmpeg -f null", floors), ("extract", taken)):
            rates = [len(sources) / s for s in seconds_of]
            rows.append([f"{name}, {workers} at a time", spread(seconds_of, 1), spread(rates, 2),
                         spread(ratios, 2) if name == "extract" else "1"])  # fmt: skip
        verdicts.append(f"{workers} at a time: "
                        f"{verdict(statistics.median(ratios), GOAL, at_least=True)}")  # fmt: skip
        result[f"workers_{workers}"] = {"ratio": figures(ratios), "seconds": figures(taken)}
    pictures = sum(len(e.outcome.pictures) for e in summary.entries)
    print(f"median (lowest-highest) of {args.rounds} rounds")
    print(f"{len(sources)} clips, {args.sampling}, {pictures} pictures")
    print_table(rows)
    print("\n".join(verdicts))
    if args.json:
        print_json("extraction", result)


if __name__ == "__main__":
    sys.exit(main())
