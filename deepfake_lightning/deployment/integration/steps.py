"""The tests of a server that is up, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.deployment.integration.golden import check_golden, golden_pictures
from deepfake_lightning.deployment.integration.known import check_known, known_media
from deepfake_lightning.deployment.integration.load import Loaded, judge_load, loads_of
from deepfake_lightning.deployment.integration.memory import MemoryWatch
from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.report import IntegrationCheck, Load
from deepfake_lightning.deployment.integration.server import StagingServer
from deepfake_lightning.deployment.integration.stopping import check_stop
from deepfake_lightning.deployment.integration.traffic import Traffic
from deepfake_lightning.deployment.integration.turns import take_turns
from deepfake_lightning.deployment.integration.uploads import check_uploads
from deepfake_lightning.storage import Workspace


class Stop(Exception):
    """The candidate does not serve: what comes after would be said of another version.

    Attributes:
        checks: what was found.
    """

    def __init__(self, checks: list[IntegrationCheck]) -> None:
        super().__init__(checks)
        self.checks = checks


@dataclass
class Bench:
    """What the tests work with.

    Attributes:
        workspace: the real one.
        bundle: the candidate's.
        candidate, champion: versions; no champion where none serves.
        plan: the limits.
        server: that is up, with the champion or else the candidate.
        environment: the file that it follows.
        progress: told what is tested now, and the share of all that is done.
        loads: how versions answered under load.
    """

    workspace: Workspace
    bundle: Bundle
    candidate: str
    champion: str | None
    plan: IntegrationPlan
    server: StagingServer
    environment: Path
    progress: Callable[[str, float], None]
    loads: tuple[Load, ...] = ()


@dataclass(frozen=True)
class Step:
    """One of the tests.

    Attributes:
        name: of its check.
        words: what it does, for people.
        done: the share of all that is done before it, about.
        run: returns its checks.
    """

    name: str
    words: str
    done: float
    run: Callable[[Bench], list[IntegrationCheck]]


def _order(candidate: str, champion: str | None, requests: int) -> list[tuple[str, int]]:
    """Return who has the traffic in turn, with the requests of each turn.

    The champion is measured between two turns of the candidate, so that a machine that gets slower
    or faster meanwhile favours neither; its first turn, after the start, does not count. Without
    one the candidate is deployed once more, which no request may notice.
    """
    half = requests // 2
    if champion is None:
        return [(candidate, half), (candidate, half)]
    return [(champion, half // 2), (candidate, half), (champion, requests), (candidate, half)]


def _load(bench: Bench) -> list[IntegrationCheck]:
    plan, server = bench.plan, bench.server
    order = _order(bench.candidate, bench.champion, plan.requests)

    def tell(number: int) -> None:
        done = _LOAD + (_GOLDEN - _LOAD) * number / len(order)
        bench.progress(f"{order[number][0]} under load", done)

    pictures = golden_pictures(bench.bundle, with_faces=True)
    with (
        MemoryWatch(server.process.pid) as memory,
        Traffic(server.client, pictures, plan.concurrency) as traffic,
    ):
        turns = take_turns(
            server, traffic, bench.environment, order,
            seconds=plan.takeover_seconds, clients=plan.concurrency, on_turn=tell,
        )  # fmt: skip
    loaded = Loaded(traffic.answers, turns, memory.peak)
    versions = [one for one in (bench.candidate, bench.champion) if one]
    bench.loads = loads_of(loaded, versions, plan.concurrency)
    checks = judge_load(loaded, bench.candidate, bench.champion, plan)
    last = turns[-1]
    if last.version != bench.candidate or last.took_over is None:
        raise Stop(checks)
    return checks


def _golden(bench: Bench) -> list[IntegrationCheck]:
    with bench.server.client() as client:
        return [check_golden(client, bench.bundle)]


def _known(bench: Bench) -> list[IntegrationCheck]:
    known = known_media(bench.workspace, bench.bundle, bench.plan.known)

    def tell(number: int) -> None:
        done = _KNOWN + (_UPLOADS - _KNOWN) * number / len(known)
        bench.progress(f"known media, {number} of {len(known)}", done)

    with bench.server.client() as client:
        return [check_known(client, bench.bundle, known, bench.plan, tell)]


def _uploads(bench: Bench) -> list[IntegrationCheck]:
    with bench.server.client() as client:
        return [check_uploads(client, golden_pictures(bench.bundle, with_faces=True)[0])]


def _stop(bench: Bench) -> list[IntegrationCheck]:
    picture = golden_pictures(bench.bundle, with_faces=True)[0]
    return [check_stop(bench.server, picture, bench.plan)]


_LOAD, _GOLDEN, _KNOWN, _UPLOADS, _STOP = 0.2, 0.7, 0.75, 0.85, 0.93
STEPS = (
    Step("load", "load", _LOAD, _load),
    Step("golden", "golden pictures", _GOLDEN, _golden),
    Step("known", "known media", _KNOWN, _known),
    Step("bad_uploads", "bad uploads", _UPLOADS, _uploads),
    Step("stop", "the server's end", _STOP, _stop),
)
"""After ``ready``."""
