"""How fast servers answer, beside the bare engine: parts of ``serving.py``."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from bare_engine import BareEngines, bare_engines
from hey import load
from server_process import Server, cpu_seconds, processes_of, serving

OTHERWISE = Path(__file__).with_name("serve_otherwise.py")
_WARM_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """How long measurements take.

    Attributes:
        place: for what servers write.
        rounds: times that each is measured, all of them in turn.
        seconds: that one measurement takes.
        cores: on which the bare engine runs, a process on each.
    """

    place: Path
    rounds: int
    seconds: float
    cores: int


@dataclass(frozen=True)
class Turn:
    """One measurement.

    Attributes:
        per_second: pictures that were scored.
        p50, p99: of the milliseconds that one took.
        cpu_ms: that all processes computed for one; it hardly depends on what else runs here.
    """

    per_second: float
    p50: float
    p99: float
    cpu_ms: float


@dataclass(frozen=True)
class Turns:
    """Measurements of one thing, a round each."""

    turns: tuple[Turn, ...]

    def of(self, name: str) -> list[float]:
        """Return one of their figures."""
        return [getattr(turn, name) for turn in self.turns]

    def ratio(self, floor: Turns) -> float:
        """Return the median of pictures a second over those of the same round of another."""
        pairs = zip(self.turns, floor.turns, strict=True)
        return statistics.median(own.per_second / other.per_second for own, other in pairs)

    def cpu_ratio(self, floor: Turns) -> float:
        """Return the other's computing for a picture over this one's, medians."""
        return statistics.median(floor.of("cpu_ms")) / statistics.median(self.of("cpu_ms"))


def throughput(
    bundle: Path, picture: Path, plan: Plan, processes: int
) -> tuple[dict[str, Turns], float]:
    """Return the bare engine's turns and the server's at 1, 16 and 64 connections, and its memory.

    The server lets 64 requests wait: what is measured is how fast it works, not whom it refuses.

    Returns:
        By name; and the most memory of all of the server's processes, MB.
    """
    with ExitStack() as stack:
        bare = stack.enter_context(bare_engines(bundle, picture, plan.cores))
        server = _server(stack, plan, bundle, ("--processes", str(processes)))
        cases = {"bare engine": lambda: _bare(bare, plan.seconds)} | {
            f"{number} connection{'s' * (number > 1)}": _loading(server, picture, number, plan)
            for number in (1, 16, 64)
        }
        with server.watch_memory():
            found = _in_turns(cases, plan)
        return found, server.peak


def batch_sizes(bundle: Path, picture: Path, plan: Plan) -> dict[str, Turns]:
    """Return turns of the bare engine, and at 16 connections of servers by faces in a run."""
    with ExitStack() as stack:
        bare = stack.enter_context(bare_engines(bundle, picture, plan.cores))
        cases = {"bare engine": lambda: _bare(bare, plan.seconds)} | {
            f"{size} a run": _loading(
                _server(stack, plan, bundle, program=(str(OTHERWISE), "--faces-a-run", str(size))),
                picture, 16, plan,
            )
            for size in (1, 4, 8, 16)
        }  # fmt: skip
        return _in_turns(cases, plan)


def overhead(bundle: Path, picture: Path, plan: Plan) -> tuple[dict[str, Turns], float]:
    """Return turns of one engine and of a server at 1 connection, and milliseconds between them."""
    with ExitStack() as stack:
        bare = stack.enter_context(bare_engines(bundle, picture, 1))
        server = _server(stack, plan, bundle)
        found = _in_turns({
            "engine": lambda: _bare(bare, plan.seconds),
            "server, 1 connection": _loading(server, picture, 1, plan),
        }, plan)  # fmt: skip
    engine, served = found.values()
    between = zip(served.of("p50"), engine.of("p50"), strict=True)
    return found, statistics.median(own - other for own, other in between)


def with_and_without_log(bundle: Path, picture: Path, plan: Plan) -> dict[str, Turns]:
    """Return turns at 16 connections of servers with and without a prediction log."""
    with ExitStack() as stack:
        without = (str(OTHERWISE), "--rows-dropped")
        return _in_turns({
            "log off": _loading(
                _server(stack, plan, bundle, program=without), picture, 16, plan),
            "log on": _loading(_server(stack, plan, bundle), picture, 16, plan),
        }, plan)  # fmt: skip


def _server(
    stack: ExitStack,
    plan: Plan,
    bundle: Path,
    flags: tuple[str, ...] = (),
    program: tuple[str, ...] = ("-m", "deepfake_lightning"),
) -> Server:
    workspace = Path(mkdtemp(dir=plan.place))
    all_flags = ("--bundle", str(bundle), "--queue", "64", *flags)
    return stack.enter_context(serving(workspace, *all_flags, program=program))


def _loading(server: Server, picture: Path, connections: int, plan: Plan) -> Callable[[], Turn]:
    load(server.url, picture, 16, _WARM_SECONDS)

    def turn() -> Turn:
        before = cpu_seconds(processes_of(server.pid))
        found = load(server.url, picture, connections, plan.seconds)
        used = cpu_seconds(processes_of(server.pid)) - before
        done = found.count(200)
        if done < len(found.answers):
            raise SystemExit(f"{len(found.answers) - done} requests were not answered with 200")
        return Turn(
            found.per_second, found.percentile(50), found.percentile(99), 1000 * used / done
        )

    return turn


def _bare(bare: BareEngines, seconds: float) -> Turn:
    before = cpu_seconds(bare.pids)
    per_second, found = bare.run(seconds)
    used = cpu_seconds(bare.pids) - before
    p50, p99 = np.percentile(found, [50, 99])
    return Turn(per_second, float(p50), float(p99), 1000 * used / len(found))


def _in_turns(cases: Mapping[str, Callable[[], Turn]], plan: Plan) -> dict[str, Turns]:
    found: dict[str, list[Turn]] = {name: [] for name in cases}
    for _ in range(plan.rounds):
        for name, turn in cases.items():
            found[name].append(turn())
    return {name: Turns(tuple(turns)) for name, turns in found.items()}
