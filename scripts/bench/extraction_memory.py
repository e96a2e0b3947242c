"""Whether the memory of ``extract`` stays flat over many videos.

Links to the given clips are extracted by one process; its resident memory, and that of the process
that leads it, are read after each clip. Run::

    python scripts/bench/extraction_memory.py FOLDER_OR_CLIP ... --videos 500
"""

from __future__ import annotations

import argparse
import os
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from common import print_json, print_table

from deepfake_lightning.data.extraction import Source, extract, list_sources
from deepfake_lightning.schemas import Extraction

MIB = 2**20


def resident(pid: int) -> int:
    """Return the resident memory of a process, bytes; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def below(parent: int) -> list[int]:
    """Return the processes below one, and those below them."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            owner = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(owner, []).append(int(path.parent.name))
    found: list[int] = []
    for pid in children.get(parent, []):
        found += [pid, *(p for p in children.get(pid, []))]
    return found


def main() -> None:
    """Measure, and print the memory at a tenth and at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("inputs", type=Path, nargs="+", help="videos, or folders of them")
    parser.add_argument("--videos", type=int, default=500, help="how many (default: 500)")
    parser.add_argument("--sampling", default="even:16", help="frames a clip (default: even:16)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    clips = [s for s in list_sources(args.inputs) if s.fields["media_type"] == "video"]
    sources = [
        Source(f"{number:06d}/{source.key}", source.file, source.fields)
        for number, source in enumerate(islice(cycle(clips), args.videos))
    ]
    leader, workers = [], []

    def progress(_: object) -> None:
        leader.append(resident(os.getpid()))
        workers.append(max((resident(pid) for pid in below(os.getpid())), default=0))

    with tempfile.TemporaryDirectory() as name:
        extract(
            sources, args.inputs, Path(name, "out"), Extraction(sampling=args.sampling),
            workers=1, progress=progress,
        )  # fmt: skip
    tenth = args.videos // 10
    rows = [["", f"after {tenth}", f"after {args.videos}", "highest", "growth"]]
    result: dict[str, Any] = {"videos": args.videos}
    for who, seen in (("leading process", leader), ("worker", workers)):
        early, late = max(seen[:tenth]), max(seen[-tenth:])
        growth = late / early - 1
        rows.append([who, *(f"{v / MIB:.0f} MiB" for v in (early, late, max(seen))),
                     f"{growth:+.1%}"])  # fmt: skip
        result[who] = {"early": early, "late": late, "growth": round(growth, 4)}
    print_table(rows)
    if args.json:
        print_json("extraction_memory", result)


if __name__ == "__main__":
    main()
