"""How fast ``serve`` answers, beside the bare engine on the same cores and the same picture.

The bare engine is one process to a core, each with one onnxruntime thread, that scores the bytes
of one face crop again and again; the server is sent the same bytes over loopback by ``hey``, which
takes its share of the same cores. Both take turns. "CPU ms" is what all of their processes
computed for a picture: where other programs run, too, it says more than pictures a second. The
weights are random: they have no part in the speed. Parts::

    python scripts/bench/serving.py                        # all, 20 minutes
    python scripts/bench/serving.py throughput --rounds 2 --seconds 3

``throughput`` at 1, 16 and 64 connections, of one server process and of two; ``batches`` by the
faces in a run of the network; ``overhead`` of a request, with a tiny network; ``log`` with and
without a prediction log, with a tiny network; ``overload`` with ten times what it serves.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import figures, print_json, print_table, spread, verdict
from hey import check_installed
from served_bundle import build, write_face
from serving_overload import CONNECTIONS, Overload, overload
from serving_speed import (
    Plan,
    Turns,
    batch_sizes,
    overhead,
    throughput,
    with_and_without_log,
)

PARTS = ("throughput", "batches", "overhead", "log", "overload")
GOAL, FLAT, BACK_SECONDS, LATE_MS = 0.85, 0.05, 1.0, 500.0
ALL_CORES = 0.9  # of the cores: with less, the two did not have the same machine
BIG, TINY = "efficientnet_b0", "test_efficientnet"


def main() -> None:
    """Measure and print."""
    args = _arguments()
    check_installed()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # servers are ended, too
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        place = Path(folder)
        picture = write_face(place / "face.jpg")
        plan = Plan(place, args.rounds, args.seconds, os.cpu_count() or 1)
        needs_big = {"throughput", "batches", "overload"} & set(args.parts)
        needs_tiny = {"overhead", "log"} & set(args.parts)
        big = _bundle(args.bundle, place, BIG) if needs_big else place
        tiny = _bundle(args.tiny_bundle, place, TINY) if needs_tiny else place
        results: dict[str, Any] = {}
        if "throughput" in args.parts:
            for processes in (1, 2):
                results[f"throughput_{processes}"] = _throughput(big, picture, plan, processes)
        if "batches" in args.parts:
            print(f"\n{BIG}, 16 connections, one process, by faces in a run of the network")
            results["batches"] = _table(batch_sizes(big, picture, plan), "bare engine")
        if "overhead" in args.parts:
            results["overhead"] = _overhead(tiny, picture, plan)
        if "log" in args.parts:
            print(f"\n{TINY}, 16 connections, one process: the prediction log")
            results["log"] = _table(with_and_without_log(tiny, picture, plan), "log off")
        if "overload" in args.parts:
            found = overload(
                big, picture, place, args.overload_seconds, args.deadline, args.connections
            )
            results["overload"] = _overload(found, args.deadline)
    if args.json:
        print_json("serving", results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--bundle", type=Path, help=f"a bundle of {BIG}; else one is built")
    parser.add_argument("--tiny-bundle", type=Path, help=f"one of {TINY}")
    parser.add_argument("--rounds", type=int, default=5, help="times each is run (default: 5)")
    parser.add_argument("--seconds", type=float, default=10, help="of each (default: 10)")
    parser.add_argument("--overload-seconds", type=float, default=60, help="default: 60")
    parser.add_argument("--deadline", type=float, default=5, help="in the overload (default: 5)")
    parser.add_argument(
        "--connections", type=int, default=CONNECTIONS,
        help=f"of the overload (default: {CONNECTIONS})",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    if wrong := set(args.parts) - set(PARTS):
        parser.error(f"{', '.join(wrong)}: the parts are {', '.join(PARTS)}")
    args.parts = args.parts or list(PARTS)
    return args


def _bundle(given: Path | None, place: Path, backbone: str) -> Path:
    if given is not None:
        return given
    print(f"building a bundle of {backbone}; --bundle and --tiny-bundle name ones that are there")
    return build(place / backbone, backbone)


def _table(found: Mapping[str, Turns], floor: str | None = None) -> dict[str, Any]:
    """Print turns, with ratios to the floor's; return them for JSON."""
    rows = [["", "a second", "ratio", "p50 ms", "p99 ms", "CPU ms", "CPU ratio"]]
    record: dict[str, Any] = {}
    for name, turns in found.items():
        ratios = ["", ""]
        entry = {key: figures(turns.of(key)) for key in ("per_second", "p50", "p99", "cpu_ms")}
        record[name] = entry
        if floor is not None:
            ratio, of_cpu = turns.ratio(found[floor]), turns.cpu_ratio(found[floor])
            ratios = [f"{ratio:.2f}", f"{of_cpu:.2f}"]
            record[name] = entry | {"ratio": round(ratio, 3), "cpu_ratio": round(of_cpu, 3)}
        p50, p99 = (f"{statistics.median(turns.of(key)):.1f}" for key in ("p50", "p99"))
        rows.append([name, spread(turns.of("per_second")), ratios[0], p50, p99,
                     f"{statistics.median(turns.of('cpu_ms')):.1f}", ratios[1]])  # fmt: skip
    print_table(rows)
    return record


def _throughput(bundle: Path, picture: Path, plan: Plan, processes: int) -> dict[str, Any]:
    print(f"\n{BIG}, {processes} server process{'es' * (processes > 1)}")
    found, memory = throughput(bundle, picture, plan, processes)
    record = _table(found, "bare engine")
    ratio = record["16 connections"]["ratio"]
    bare = found["bare engine"].turns
    cores = statistics.median(turn.per_second * turn.cpu_ms / 1000 for turn in bare)
    judged = verdict(ratio, GOAL, at_least=True)
    if cores < ALL_CORES * plan.cores:
        judged = f"no verdict: other programs left {cores:.1f} of {plan.cores} cores to the engine"
    print(f"at 16 connections {ratio:.2f} of the bare engine ({judged}); "
          f"peak memory {memory:.0f} MB")  # fmt: skip
    return record | {"memory_mb": round(memory), "cores_of_bare": round(cores, 2)}


def _overhead(bundle: Path, picture: Path, plan: Plan) -> dict[str, Any]:
    print(f"\n{TINY}, one request at a time")
    found, milliseconds = overhead(bundle, picture, plan)
    record = _table(found)
    print(f"a request costs {milliseconds:.1f} ms beside what the engine takes")
    return record | {"overhead_ms": round(milliseconds, 2)}


def _overload(found: Overload, deadline: float) -> dict[str, Any]:
    statuses = {each[0] for each in found.load.answers}
    slowest = max((ms for status, ms, _ in found.load.answers if status == 200), default=0.0)
    served = found.load.per_second
    print(f"\noverload: serves {found.served:.1f} a second at 16 connections, was sent "
          f"{found.sent:.0f} for {found.load.seconds:g} s")  # fmt: skip
    print(f"answered {served:.1f} a second with 200 ({served / found.served:.2f} of before), "
          f"refused {found.load.count(503)} with 503; statuses {sorted(statuses)}")  # fmt: skip
    print(f"200s within p50 {found.load.percentile(50):.0f}, p99 {found.load.percentile(99):.0f}, "
          f"at most {slowest:.0f} ms "
          f"({verdict(slowest, 1000 * deadline + LATE_MS, at_least=False)}); "
          f"503s p50 {found.load.percentile(50, 503):.0f} ms")  # fmt: skip
    print("refusals without Retry-After, and answers that are neither 200 nor 503: "
          f"{found.others} ({verdict(found.others, 1, at_least=False)})")  # fmt: skip
    print(f"memory {found.memory:.0f} MB at most, grew by {found.growth:.1%} "
          f"({verdict(found.growth, FLAT, at_least=False)})")  # fmt: skip
    back = float("inf") if found.back is None else found.back
    print(f"latency before {found.before:.0f} ms; back there {back:.2f} s after "
          f"({verdict(back, BACK_SECONDS, at_least=False)})")  # fmt: skip
    return {
        "served_before": round(found.served, 1), "sent": round(found.sent),
        "served_meanwhile": round(served, 1), "refused": found.load.count(503),
        "statuses": sorted(statuses), "slowest_ms": round(slowest), "others": found.others,
        "memory_mb": round(found.memory), "growth": round(found.growth, 4),
        "before_ms": round(found.before, 1), "back_s": found.back and round(found.back, 2),
    }  # fmt: skip


if __name__ == "__main__":
    main()
