"""What clients notice when ``deployment/config/production.json`` changes under load: nothing.

A server follows the environment while clients ask it without a pause. It is swapped to a version
that it has never seen, again and again, and now and then back to the one before; each time it is
measured how long after the file's rename the first answer of that version comes. Then two versions
share the traffic, and each client has to stay with one; at last a damaged version is deployed,
which has to be refused while the one before goes on::

    python scripts/bench/swaps.py --swaps 100 --back 20
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from clients import Clients
from common import print_json, print_table, verdict
from served_bundle import build, write_face
from server_process import Server, memory, processes_of, serving

from deepfake_lightning.bundle.load import ONNX
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace, write_json

FIRST, DAMAGED = "v1.0.0", "v9.0.0"
GOAL_SECONDS = 1.0  # a switch back serves within that
_PAUSE = 0.2  # seconds under a version
_REFUSED_SECONDS = 30.0


class Environment:
    """Production, as who deploys sees it.

    Args:
        workspace: whose.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.environments / "production.json"

    def deploy(self, shares: dict[str, float]) -> float:
        """Write who serves; return when that began, ``time.monotonic``."""
        serving = [{"version": name, "share": share} for name, share in shares.items()]
        began = time.monotonic()
        write_json(self._path, {"schema": 1, "serving": serving})
        return began


def swap(
    environment: Environment, clients: Clients, server: Server, swaps: int, back: int
) -> tuple[dict[str, list[float]], int]:
    """Swap to new versions, and back between them.

    Returns:
        Milliseconds until the first answer, of ``new`` versions and of those ``back``, and
        ``memory`` after each swap, MB; and how many answers came from another version although
        they were asked for after that.
    """
    found: dict[str, list[float]] = {"new": [], "back": [], "memory": []}
    strayed, every = 0, max(1, swaps // max(1, back))
    before = FIRST
    for number in range(1, swaps + 1):
        steps = [(f"v1.{number}.0", "new")]
        if number % every == 0 and len(found["back"]) < back:
            steps.append((before, "back"))
        for version, kind in steps:
            began = environment.deploy({version: 1})
            first = clients.wait_for(version, began)
            found[kind].append(1000 * (first.came - began))
            time.sleep(_PAUSE)
            later = clients.between(first.came, time.monotonic())
            strayed += sum(one.version not in (version, None) for one in later)
            before = version if kind == "new" else before
        found["memory"].append(memory(processes_of(server.pid)))
    return found, strayed


def share(environment: Environment, clients: Clients, seconds: float) -> dict[str, set[str]]:
    """Let two versions share the traffic; return the versions that each client got."""
    last, other = "v1.1.0", FIRST
    began = environment.deploy({other: 0.5, last: 0.5})
    settled = max(clients.wait_for(name, began).came for name in (last, other))
    time.sleep(seconds)
    got: dict[str, set[str]] = defaultdict(set)
    for answer in clients.between(settled, time.monotonic()):
        if answer.version is not None:
            got[answer.key].add(answer.version)
    return got


def break_one(environment: Environment, clients: Clients, url: str) -> tuple[str, set[str | None]]:
    """Deploy a damaged version; return why it is refused, and who answered meanwhile."""
    environment.deploy({FIRST: 1})
    _wait_for(url, lambda state: [one["version"] for one in state["serving"]] == [FIRST])
    began = environment.deploy({DAMAGED: 1})
    refused = _wait_for(url, lambda state: state["refused"])["refused"]
    time.sleep(1.0)
    return refused, {one.version for one in clients.between(began, time.monotonic())}


def _wait_for(url: str, check: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return what ``/readyz`` says once it is as expected."""
    end = time.monotonic() + _REFUSED_SECONDS
    state: dict[str, Any] = {}
    while not state or not check(state):
        if time.monotonic() > end:
            raise SystemExit(f"the server does not follow: {state}")
        time.sleep(0.05)
        state = httpx.get(f"{url}/readyz", timeout=30).json()
    return state


def prepare(bundle: Path, workspace: Workspace, swaps: int) -> None:
    """Register a bundle as so many versions, and as one that is damaged."""
    registry = Registry(workspace)
    for number in range(swaps + 1):
        register_bundle(registry, bundle, Wish(f"v1.{number}.0"))
    register_bundle(registry, bundle, Wish(DAMAGED))
    graph = registry.folder(DAMAGED) / ONNX
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 0xFF
    graph.write_bytes(data)


def measure(bundle: Path, place: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Run all of it; return the figures."""
    workspace = Workspace(place / "mlops")
    prepare(bundle, workspace, args.swaps)
    environment = Environment(workspace)
    environment.deploy({FIRST: 1})
    body = write_face(place / "face.jpg").read_bytes()
    with (
        serving(workspace.root, "--env", "production", "--queue", "64") as server,
        Clients(server.url, body, args.threads, keys=8) as clients,
    ):
        clients.wait_for(FIRST, time.monotonic())
        time.sleep(2.0)
        times, strayed = swap(environment, clients, server, args.swaps, args.back)
        got = share(environment, clients, args.shared_seconds)
        refused, meanwhile = break_one(environment, clients, server.url)
    return {
        "answers": len(clients.answers),
        "failed": sum(one.status != 200 for one in clients.answers),
        "strayed": strayed,
        **{
            f"{kind}_ms": {"p50": round(statistics.median(each), 1), "max": round(max(each), 1)}
            for kind, each in times.items() if each and kind != "memory"
        },
        "swaps": len(times["new"]), "back": len(times["back"]),
        "clients": len(got), "clients_moved": sum(len(each) > 1 for each in got.values()),
        "clients_of_second": sum(FIRST not in each for each in got.values()),
        "refused": refused, "meanwhile": sorted(map(str, meanwhile)),
        "memory_mb": [round(times["memory"][len(times["memory"]) // 5]),
                      round(times["memory"][-1])],
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bundle", type=Path, help="a small detector's; else one is built")
    parser.add_argument("--swaps", type=int, default=100, help="to new versions (default: 100)")
    parser.add_argument("--back", type=int, default=20, help="switches back (default: 20)")
    parser.add_argument("--threads", type=int, default=4, help="that ask (default: 4)")
    parser.add_argument("--shared-seconds", type=float, default=10, help="default: 10")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # servers are ended, too
    with tempfile.TemporaryDirectory(prefix="swaps-") as folder:
        place = Path(folder)
        bundle = args.bundle or build(place / "bundle", "test_efficientnet")
        found = measure(bundle, place, args)
    print(f"{found['swaps']} swaps, {found['back']} switches back, {found['answers']} requests")
    rows = [["from the rename to the first answer", "p50 ms", "max ms"]]
    rows += [
        [{"new": "of a new version", "back": "of one that served before"}[kind],
         str(found[f"{kind}_ms"]["p50"]), str(found[f"{kind}_ms"]["max"])]
        for kind in ("new", "back") if f"{kind}_ms" in found
    ]  # fmt: skip
    print_table(rows)
    if "back_ms" in found:
        slowest = found["back_ms"]["max"] / 1000
        print(f"slowest switch back {slowest:.2f} s "
              f"({verdict(slowest, GOAL_SECONDS, at_least=False)})")  # fmt: skip
    for said, number in (
        ("requests that failed", found["failed"]),
        ("answers of a version after the next one had taken over", found["strayed"]),
        (f"of {found['clients']} clients that moved while shares stayed", found["clients_moved"]),
        ("answers of others while a damaged version was refused", len(found["meanwhile"]) - 1),
    ):
        print(f"{said}: {number} ({verdict(number, 1, at_least=False)})")
    print(f"clients of the second of two equal shares: {found['clients_of_second']} of "
          f"{found['clients']}")  # fmt: skip
    print(f"refused: {found['refused']}")
    print("memory {} MB after a fifth of the swaps, {} MB after all".format(*found["memory_mb"]))
    if args.json:
        print_json("swaps", found)


if __name__ == "__main__":
    main()
