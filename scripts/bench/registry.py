"""How long the registry's operations take with few and with many versions.

The floor of registering is the copy of the bundle's files with an fsync each; that of opening a
version is the verification of its bundle. Versions are copies of one bundle, whose large files are
hard links::

    python scripts/bench/registry.py mlops/registry/models/v1.0.0 --versions 10 10000
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import print_json, print_table, spread

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import SUMS, read_sums, write_sums
from deepfake_lightning.bundle.load import CARD, RECORD
from deepfake_lightning.registry import (
    Registry,
    Wish,
    delete_version,
    register_bundle,
    repair_registry,
    verify_registry,
)
from deepfake_lightning.registry.folders import copy_bundle
from deepfake_lightning.registry.record import REGISTRATION
from deepfake_lightning.storage import Workspace

OWN = (RECORD, REGISTRATION, CARD, SUMS)  # files in which versions differ


def timed(action: Callable[[], Any]) -> float:
    """Return the milliseconds that something takes."""
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def fill(registry: Registry, template: Path, versions: int) -> None:
    """Make versions v1.0.1, v1.0.2, ... of a registered one, without an index."""
    names = [*read_sums(template)[0], SUMS]
    for number in range(1, versions):
        folder, version = registry.folder(f"v1.0.{number}"), f"v1.0.{number}"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if name in OWN:
                shutil.copy(template / name, folder / name)
            else:
                os.link(template / name, folder / name)
        for name in (RECORD, REGISTRATION):
            record = json.loads((folder / name).read_text())
            (folder / name).write_text(json.dumps({**record, "version": version}))
        write_sums(folder)
    (registry.root / "metadata.json").unlink()


def measure(bundle: Path, versions: int, rounds: int, place: Path) -> dict[str, list[float]]:
    """Return operation -> milliseconds, round by round."""
    registry = Registry(Workspace(place / str(versions)))
    register_bundle(registry, bundle, Wish("v1.0.0"))
    fill(registry, registry.folder("v1.0.0"), versions)
    found = {"make the index anew": [timed(lambda: repair_registry(registry))]}
    found["verify all"] = [timed(lambda: verify_registry(registry))]
    names = [*read_sums(bundle)[0], SUMS]
    for turn in range(rounds):
        made = f"v2.0.{turn}"
        turns: dict[str, Callable[[], Any]] = {
            "list": registry.entries,
            "find the next version": registry.next,
            "open a version": lambda: registry.bundle("v1.0.0"),
            "floor: verify a bundle": lambda: load_bundle(bundle),
            "register": lambda made=made: register_bundle(registry, bundle, Wish(made)),
            "floor: copy, fsync, verify twice": lambda turn=turn: (
                copy_bundle(bundle, place / f"copy-{versions}-{turn}", names),
                load_bundle(bundle), load_bundle(place / f"copy-{versions}-{turn}"),
            ),
            "delete": lambda made=made: delete_version(registry, made, reason="a measurement"),
        }  # fmt: skip
        for name, action in turns.items():
            found.setdefault(name, []).append(timed(action))
    found["size of the index, MB"] = [(registry.root / "metadata.json").stat().st_size / 1e6]
    return found


def main() -> None:
    """Measure each size, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--versions", type=int, nargs="+", default=[10, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="registry-") as place:
        sizes = {
            number: measure(given.bundle, number, given.rounds, Path(place))
            for number in given.versions
        }
    rows = [["milliseconds, median (range)", *(f"{number:,} versions" for number in sizes)]]
    for name in next(iter(sizes.values())):
        rows.append([name, *(spread(found[name]) for found in sizes.values())])
    print_table(rows)
    ratios = {
        number: min(found["register"]) / min(found["floor: copy, fsync, verify twice"])
        for number, found in sizes.items()
    }
    for number, ratio in ratios.items():
        print(f"registering among {number:,} versions takes {ratio:.1f} times its floor")
    print_json("registry", {"ratio": {n: round(r, 2) for n, r in ratios.items()}})


if __name__ == "__main__":
    main()
