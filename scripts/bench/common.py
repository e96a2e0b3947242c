"""What the measurements share: settings of the process, pictures to work on, tables.

Imports nothing heavy, so that a measurement of start-up times can use it.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deepfake_lightning.cli.process import missing_settings


def restart_tuned() -> None:
    """Start this script again with the settings of ``fit`` that are missing, if any is."""
    missing = missing_settings()
    if missing:
        sys.stdout.flush()
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **missing})


def write_pictures(folder: Path, train: int, val: int, size: int) -> Path:
    """Write smooth random textures with a little noise, as hard to decode as face crops.

    Args:
        folder: where ``index.csv`` and the JPEGs go.
        train: number of training pictures; the two classes take turns.
        val: number of pictures to validate on.
        size: side, pixels.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for number in range(train + val):
            coarse = generator.integers(40, 210, (12, 12, 3)).astype(np.uint8)
            image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.int16)
            image += generator.integers(-6, 7, image.shape, dtype=np.int16)
            name = f"texture-{number}.jpg"
            pixels = np.clip(image, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / name), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
            rows.writerow([name, number % 2, "train" if number < train else "val"])
    return folder


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return ``median (lowest-highest)``."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def figures(values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest and highest, for JSON."""
    middle = statistics.median(values)
    return {"median": round(middle, 4), "min": round(min(values), 4), "max": round(max(values), 4)}


def verdict(value: float, goal: float, *, at_least: bool) -> str:
    """Return e.g. ``goal at least 0.97: met``."""
    met = value >= goal if at_least else value < goal
    return f"goal {'at least' if at_least else 'below'} {goal:g}: {'met' if met else 'MISSED'}"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows, the first of which are headings; all columns but the first to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())


def print_json(name: str, result: dict[str, Any]) -> None:
    """Print one line of JSON with the machine it was measured on."""
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    print(json.dumps({"bench": name, **machine, **result}))
