"""The people of scripts/story.sh: who waits for the server, who uploads pictures, who reviews them.

    traffic.py wait URL v1.1.0
    traffic.py send URL FOLDER --truth truth.csv --requests 100 --seconds 60
    traffic.py review todo.csv --truth truth.csv --out labels.csv

``wait`` returns once a version is among those that the server answers with. ``send`` uploads
pictures of a drawn data set, each once before any is sent again, each by a client of its own,
evenly over the time, and notes what each showed under the id that the answer gives it.
``review`` fills the labels into a table of ``feedback list --out``.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zlib import crc32


def wait(url: str, version: str, seconds: float = 120.0) -> None:
    """Return once a version is among those that serve: a change is taken over in its own time."""
    served: list[str] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:
            served = [one["version"] for one in json.load(answer)["serving"]]
        if version in served:
            return
        time.sleep(0.1)
    sys.exit(f"{url} serves {', '.join(served)} after {seconds:.0f} s, and not {version}")


def send(url: str, folder: Path, truth: Path, requests: int, seconds: float, seed: int) -> None:
    """Upload pictures at an even rate, and note what each showed."""
    with (folder / "manifest.csv").open(newline="") as file:
        rows = _halved(list(csv.DictReader(file)))
    random.Random(seed).shuffle(rows)
    chosen = [rows[number % len(rows)] for number in range(requests)]
    began = time.monotonic()

    def ask(number: int) -> tuple[dict[str, str], dict[str, Any]]:
        row = chosen[number]
        time.sleep(max(0.0, began + number * seconds / requests - time.monotonic()))
        request = urllib.request.Request(
            f"{url}/v1/predict",
            data=(folder / row["path"]).read_bytes(),
            headers={"X-Client-Key": f"{folder.name}-{seed}-{number}"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return row, json.load(answer)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(requests)))
    begun = truth.exists()
    with truth.open("a", newline="") as file:
        table = csv.writer(file)
        if not begun:
            table.writerow(["request_id", "label"])
        table.writerows([answer["request_id"], row["label"]] for row, answer in answers)
    _tell(answers)


def _halved(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Of a picture and its forgery one is uploaded, always the same one."""
    pairs: dict[str, list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: row["label"]):
        take = row["path"].rpartition("_")[2]
        pairs.setdefault(f"{row['target_id']} {take}", []).append(row)
    return [pair[crc32(key.encode()) % len(pair)] for key, pair in pairs.items()]


def _tell(answers: list[tuple[dict[str, str], dict[str, Any]]]) -> None:
    """Print what came back, by what was sent."""
    kinds = Counter(
        (row["method"] or "real", str(answer.get("version")), str(answer.get("verdict")))
        for row, answer in answers
    )
    for (what, version, verdict), count in sorted(kinds.items()):
        print(f"  {count:4d} {what:8s} {version}: {verdict}")


def review(todo: Path, truth: Path, out: Path) -> None:
    """Write a table of labels: all of ``todo`` whose truth is known."""
    with truth.open(newline="") as file:
        known = {row["request_id"]: row["label"] for row in csv.DictReader(file)}
    with todo.open(newline="") as file:
        asked = [row["request_id"] for row in csv.DictReader(file)]
    with out.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["request_id", "label"])
        table.writerows([name, known[name]] for name in asked if name in known)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    waits, sends = commands.add_parser("wait"), commands.add_parser("send")
    reviews = commands.add_parser("review")
    for each in (waits, sends):
        each.add_argument("url")
    waits.add_argument("version")
    sends.add_argument("folder", type=Path)
    sends.add_argument("--requests", type=int, required=True)
    sends.add_argument("--seconds", type=float, default=0.0)
    sends.add_argument("--seed", type=int, default=0)
    reviews.add_argument("todo", type=Path)
    reviews.add_argument("--out", type=Path, required=True)
    for each in (sends, reviews):
        each.add_argument("--truth", type=Path, required=True)
    given = vars(parser.parse_args())
    verbs: dict[str, Callable[..., None]] = {"wait": wait, "send": send, "review": review}
    verbs[given.pop("command")](**given)


if __name__ == "__main__":
    main()
