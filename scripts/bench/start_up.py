"""How long the command line takes to answer, against what its libraries alone take.

Compares ``--help``, ``data demo --help``, ``fit --help`` and ``import deepfake_lightning``, each
in a new process, with an empty Python process (the floor of the light ones) and with
``import lightning.pytorch.cli`` (the floor of ``fit --help``, which has to import it). All of them
take turns in every round. CPU seconds count user and system time; on a busy machine they are the
steadier figure. Run it with the interpreter that the package is installed for::

    python scripts/bench/start_up.py --rounds 5

The exit code is 1 where the top-level ``--help`` imports torch.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from unittest import mock

from common import figures, print_json, print_table, spread

from deepfake_lightning.cli.process import missing_settings

PROGRAM = ["-m", "deepfake_lightning"]
CASES = {
    "python -c pass": ["-c", "pass"],
    "import deepfake_lightning": ["-c", "import deepfake_lightning"],
    "--help": [*PROGRAM, "--help"],
    "data demo --help": [*PROGRAM, "data", "demo", "--help"],
    "import lightning.pytorch.cli": ["-c", "import lightning.pytorch.cli"],
    "fit --help": [*PROGRAM, "fit", "--help"],
}
FLOOR = "import lightning.pytorch.cli"
LIGHT = ("import deepfake_lightning", "--help", "data demo --help")
HEAVY = ("torch", "lightning", "albumentations", "timm", "pandas")


def user_environment() -> dict[str, str]:
    """Return the environment without the settings that ``fit`` gives itself by a restart."""
    with mock.patch.dict(os.environ, clear=True):
        settings = missing_settings()
    return {name: value for name, value in os.environ.items() if name not in settings}


def measure(args: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return wall-clock and CPU seconds of one new process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, *args]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def heavy_imports(args: list[str], environment: dict[str, str]) -> list[str]:
    """Return which of the heavy libraries a process imports."""
    command = [sys.executable, "-X", "importtime", *args]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    modules = {line.rpartition("|")[2].strip() for line in lines}
    return [name for name in HEAVY if name in modules]


def main() -> None:
    """Measure, print, and fail where the overview imports torch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="times each is run (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    environment = user_environment()

    imported = {name: heavy_imports(CASES[name], environment) for name in LIGHT}
    for case in CASES.values():  # the files are read into memory once
        measure(case, environment)
    wall: dict[str, list[float]] = {name: [] for name in CASES}
    cpu: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(args.rounds):
        for name, case in CASES.items():
            seconds, cpu_seconds = measure(case, environment)
            wall[name].append(seconds)
            cpu[name].append(cpu_seconds)

    rows = [["", "seconds", "CPU seconds", "heavy imports"]]
    for name in CASES:
        heavy = (", ".join(imported[name]) or "none") if name in LIGHT else ""
        rows.append([name, spread(wall[name], 2), spread(cpu[name], 2), heavy])
    print(f"median (lowest-highest) of {args.rounds} rounds")
    print_table(rows)
    pairs = zip(cpu["fit --help"], cpu[FLOOR], strict=True)
    over_floor = statistics.median(own / floor for own, floor in pairs)
    has_torch = "torch" in imported["--help"]
    print(f"fit --help over its floor: {over_floor:.2f} (CPU seconds)")
    print(f"--help imports torch: {'YES' if has_torch else 'no'}")
    if args.json:
        cases = {n: {"wall_s": figures(wall[n]), "cpu_s": figures(cpu[n])} for n in CASES}
        more = {"fit_help_over_floor": round(over_floor, 3), "heavy_imports": imported}
        print_json("start_up", {"rounds": args.rounds, "cases": cases, **more})
    sys.exit(1 if has_torch else 0)


if __name__ == "__main__":
    main()
