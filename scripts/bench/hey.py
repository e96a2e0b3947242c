"""``hey``, a public tool that loads a server: https://github.com/rakyll/hey."""

from __future__ import annotations

import csv
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

INSTALL = "this measurement uses hey: apt-get install hey, brew install hey, or see its page, \
https://github.com/rakyll/hey"


@dataclass(frozen=True)
class Load:
    """What a server did under load.

    Attributes:
        seconds: how long it was sent requests.
        answers: ``(status, milliseconds, second at which it was sent)`` of each.
    """

    seconds: float
    answers: tuple[tuple[int, float, float], ...]

    def count(self, status: int) -> int:
        """Return how many answers have a status."""
        return sum(each[0] == status for each in self.answers)

    @property
    def per_second(self) -> float:
        """Requests a second that were answered with 200, until the last of them was."""
        done = [sent + ms / 1000 for status, ms, sent in self.answers if status == 200]
        return len(done) / max(done) if done else 0.0

    def percentile(self, percent: float, status: int = 200) -> float:
        """Return of the answers' milliseconds."""
        found = [ms for each, ms, _ in self.answers if each == status]
        return float(np.percentile(found, percent)) if found else float("nan")


def check_installed() -> None:
    """End the program where ``hey`` is missing."""
    if shutil.which("hey") is None:
        raise SystemExit(INSTALL)


def load(
    url: str,
    body: Path,
    connections: int,
    seconds: float,
    *,
    each_per_second: float | None = None,
    path: str = "/v1/predict",
) -> Load:
    """Send a file again and again over a number of connections; a request follows an answer.

    Args:
        url: of a server on this machine.
        body: what is sent.
        connections: at a time.
        seconds: how long; requests that are under way then are still waited for.
        each_per_second: requests of one connection, at most; None: as many as it can.
        path: what is asked for.
    """
    assert url.startswith("http://127.0.0.1:"), "a load is for this machine alone"
    command = ["hey", "-z", f"{seconds}s", "-c", str(connections), "-t", "0", "-o", "csv",
               "-m", "POST", "-T", "image/jpeg", "-D", str(body)]  # fmt: skip
    if each_per_second is not None:
        command += ["-q", f"{each_per_second:g}"]
    done = subprocess.run([*command, url + path], check=True, capture_output=True, text=True)
    rows = csv.DictReader(done.stdout.splitlines())
    answers = [
        (int(row["status-code"]), 1000 * float(row["response-time"]), float(row["offset"]))
        for row in rows
    ]
    return Load(seconds, tuple(answers))
