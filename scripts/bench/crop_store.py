"""Whether crops in one packed file would be read faster than loose ones, with nothing in memory.

Face crops are laid out as ``extract`` does (``crops/<data set>/<clip>/<number>.jpg``), and once
more one after the other in a single file with an array of offsets. Both are then read in the order
of a sampler, that is at random, decoded by the loader's own ``read_image``, and augmented as for a
training. Before each turn the kernel forgets files, folders and inodes
(``/proc/sys/vm/drop_caches``, which asks for root; else it is told to forget the files, and folders
and inodes stay known, which favours loose ones). The two take turns, in an order that changes from
round to round, and each reads pictures that were not read before.

A ratio above 1.5 would pay for another form of data: of reading and decoding, and of all that a
training does with a crop. What the disk below a virtual machine keeps in memory of its own cannot
be dropped from here. Run::

    python scripts/bench/crop_store.py --pictures FOLDER_OF_CROPS --count 1000000

Without ``--pictures`` the crops are random textures.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
from common import figures, print_json, print_table, spread, verdict, write_pictures

from deepfake_lightning.data.transforms import Augmentation, _operations
from deepfake_lightning.media import read_image

GOAL = 1.5
DROP = Path("/proc/sys/vm/drop_caches")
Reader = Callable[[int], Any]


class Stores:
    """The same crops, loose and packed.

    Args:
        folder: where they are put.
        pictures: bytes of JPEG files; they are repeated until there are enough.
        count: how many crops there are.
        clip: how many of them are of one clip.
    """

    def __init__(self, folder: Path, pictures: list[bytes], count: int, clip: int) -> None:
        self.folder, self.pictures, self.count, self.clip = folder, pictures, count, clip
        sizes = np.array([len(one) for one in pictures], np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(sizes[np.arange(count) % len(sizes)])])
        self.blob = -1
        self.compose = A.Compose(_operations(Augmentation()), seed=0)

    def path(self, number: int) -> Path:
        """Return the file of a crop."""
        clip, frame = divmod(number, self.clip)
        return self.folder / "crops" / "set" / f"clip{clip:06d}.mp4" / f"{frame:03d}.jpg"

    def make_loose(self) -> float:
        """Write a file a crop; return the seconds until all is on the disk."""
        start = time.perf_counter()
        for number in range(self.count):
            path = self.path(number)
            if number % self.clip == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(self.pictures[number % len(self.pictures)])
        os.sync()
        return time.perf_counter() - start

    def make_packed(self) -> float:
        """Write all crops into one file; return the seconds until all is on the disk."""
        start = time.perf_counter()
        with (self.folder / "crops.bin").open("wb", buffering=8 << 20) as file:
            for number in range(self.count):
                file.write(self.pictures[number % len(self.pictures)])
        os.sync()
        return time.perf_counter() - start

    def open_blob(self) -> None:
        """Open the packed file, once for all reads; the kernel is not to read ahead."""
        self.blob = os.open(self.folder / "crops.bin", os.O_RDONLY)
        os.posix_fadvise(self.blob, 0, 0, os.POSIX_FADV_RANDOM)

    def loose(self, number: int) -> bytes:
        """Read a crop's file."""
        return self.path(number).read_bytes()

    def packed(self, number: int) -> bytes:
        """Read a crop out of the packed file."""
        start, end = self.offsets[number], self.offsets[number + 1]
        return os.pread(self.blob, end - start, start)

    def loose_decoded(self, number: int) -> Any:
        """Read a crop's file as the loader does."""
        return read_image(self.path(number))

    def packed_decoded(self, number: int) -> Any:
        """Read a crop out of the packed file, decoded as the loader does."""
        return read_image(self.packed(number))

    def loose_augmented(self, number: int) -> Any:
        """Read, decode and augment a crop's file as a training does."""
        return self.compose(image=self.loose_decoded(number))

    def packed_augmented(self, number: int) -> Any:
        """Read, decode and augment a crop out of the packed file as a training does."""
        return self.compose(image=self.packed_decoded(number))

    def forget(self, numbers: list[int]) -> None:
        """Make the kernel forget what it has read."""
        os.sync()
        if os.access(DROP, os.W_OK):
            DROP.write_text("3")
            return
        os.posix_fadvise(self.blob, 0, 0, os.POSIX_FADV_DONTNEED)
        for number in numbers:
            handle = os.open(self.path(number), os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)

    def space(self) -> tuple[int, int, int]:
        """Return the bytes on the disk of loose and packed crops, and the inodes of the loose."""
        loose = inodes = 0
        for parent, folders, files in os.walk(self.folder / "crops"):
            for name in [*folders, *files]:
                loose += os.lstat(os.path.join(parent, name)).st_blocks * 512  # noqa: PTH118
                inodes += 1
        return loose, (self.folder / "crops.bin").stat().st_blocks * 512, inodes


def speed(read: Reader, numbers: list[int], processes: int) -> float:
    """Return crops a second that some processes read between them."""
    parts = [numbers[first::processes] for first in range(processes)]
    ready = multiprocessing.Barrier(processes + 1)

    def work(part: list[int]) -> None:
        ready.wait()
        for number in part:
            read(number)

    context = multiprocessing.get_context("fork")
    crew = [context.Process(target=work, args=(part,)) for part in parts]
    for one in crew:
        one.start()
    ready.wait()
    start = time.perf_counter()
    for one in crew:
        one.join()
    if any(one.exitcode for one in crew):
        raise SystemExit("a process that reads has failed")
    return len(numbers) / (time.perf_counter() - start)


def measure(stores: Stores, reads: int, rounds: int, processes: int) -> dict[str, list[float]]:
    """Return the speeds of each way to read, a figure a round."""
    ways: dict[str, Reader] = {
        "loose, read": stores.loose, "packed, read": stores.packed,
        "loose, read+decode": stores.loose_decoded, "packed, read+decode": stores.packed_decoded,
        "loose, all": stores.loose_augmented, "packed, all": stores.packed_augmented,
    }  # fmt: skip
    order = np.random.default_rng(processes).permutation(stores.count)
    draws = iter(np.split(order[: reads * len(ways) * rounds], len(ways) * rounds))
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways) if number % 2 == 0 else list(ways)[::-1]
        for name in names:
            numbers = next(draws).tolist()
            stores.forget(numbers)
            speeds[name].append(speed(ways[name], numbers, processes))
    return speeds


def report(speeds: dict[str, list[float]], processes: int) -> dict[str, Any]:
    """Print the speeds of some processes, and what the packed file gains; return it."""
    rows, result = [["", "crops a second", "of the loose ones"]], {}
    for name, rates in speeds.items():
        loose = speeds[name.replace("packed", "loose")]
        ratios = [rate / other for rate, other in zip(rates, loose, strict=True)]
        rows.append([name, spread(rates, 0), spread(ratios, 2)])
        result[name] = {"per_s": figures(rates), "ratio": figures(ratios)}
    print(f"{processes} process(es), nothing in memory")
    print_table(rows)
    for work in ("read+decode", "all"):
        rates = zip(speeds[f"packed, {work}"], speeds[f"loose, {work}"], strict=True)
        gain = statistics.median(packed / loose for packed, loose in rates)
        print(f"{work}: {gain:.2f}, {verdict(gain, GOAL, at_least=True)}")
    return result


def crops(folder: Path | None, size: int) -> list[bytes]:
    """Return the bytes of crops: those of a folder, or textures."""
    if folder is not None:
        return [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))]
    with tempfile.TemporaryDirectory() as name:
        made = write_pictures(Path(name, "data"), 1000, 0, size)
        return [path.read_bytes() for path in sorted(made.glob("*.jpg"))]


def main() -> None:
    """Make both stores, read them in turns, and print what the packed one gains."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="crops (default: 100000)")
    parser.add_argument("--pictures", type=Path, help="folder of JPEG crops to repeat")
    parser.add_argument("--size", type=int, default=128, help="of textures, pixels (default: 128)")
    parser.add_argument("--clip", type=int, default=32, help="crops a clip (default: 32)")
    parser.add_argument("--reads", type=int, default=2000, help="in a turn (default: 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4], help="(default: 1 4)")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: /tmp)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    if args.reads * 6 * args.rounds > args.count:
        parser.error("--reads times 6 times --rounds crops are needed: no crop is read twice")
    cv2.setNumThreads(0)
    root = Path(tempfile.mkdtemp(dir=args.folder, prefix="crop-store-"))
    try:
        stores = Stores(root, crops(args.pictures, args.size), args.count, args.clip)
        size = stores.offsets[-1] / args.count
        print(f"{args.count:,} crops of {size / 1e3:.1f} kB on average", flush=True)
        loose_s, packed_s = stores.make_loose(), stores.make_packed()
        stores.open_blob()
        loose, packed, inodes = stores.space()
        print_table([["", "made in s", "GB on the disk", "inodes"],
                     ["loose", f"{loose_s:.0f}", f"{loose / 1e9:.2f}", f"{inodes:,}"],
                     ["packed", f"{packed_s:.0f}", f"{packed / 1e9:.2f}", "1"]])  # fmt: skip
        how = "dropped" if os.access(DROP, os.W_OK) else "of files only"
        print(f"median (lowest-highest) of {args.rounds} rounds of {args.reads}; caches {how}",
              flush=True)  # fmt: skip
        found = {f"processes_{n}": report(measure(stores, args.reads, args.rounds, n), n)
                 for n in args.processes}  # fmt: skip
        if args.json:
            print_json("crop_store", {"count": args.count, "loose_s": loose_s, "loose_bytes": loose,
                                      "packed_s": packed_s, "packed_bytes": packed,
                                      "inodes": inodes, **found})  # fmt: skip
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
