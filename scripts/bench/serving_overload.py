"""A server that is sent ten times what it can do: a part of ``serving.py``."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import httpx
from hey import Load, load
from server_process import serving

TIMES = 10
CONNECTIONS = 400
_PROBE_SECONDS = 5.0  # before and after the overload
_PAUSE = 0.05
_SETTLED = 0.2  # of the time: memory is looked at after that


@dataclass
class Probe:
    """Who asks one thing after the other meanwhile, as a client would who is not part of the load.

    Attributes:
        url: of the server.
        body: what is sent.
        answers: ``(second, status, milliseconds, Retry-After)``; ``time.monotonic`` at the end.
    """

    url: str
    body: bytes
    answers: list[tuple[float, int, float, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._end.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> list[tuple[float, int, float, str | None]]:
        """Return answers of a time."""
        return [each for each in self.answers if begin <= each[0] < end]

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, timeout=120) as client:
            while not self._end.wait(_PAUSE):
                began = time.monotonic()
                answer = client.post("/v1/predict", content=self.body)
                now = time.monotonic()
                after = answer.headers.get("Retry-After")
                self.answers.append((now, answer.status_code, 1000 * (now - began), after))


@dataclass(frozen=True)
class Overload:
    """What became of it.

    Attributes:
        served: requests a second that it answers when they come one after the other.
        sent: requests a second that it was sent.
        load: all answers.
        others: how many answers of the probe were neither 200 nor 503 with Retry-After.
        memory: peak, MB.
        growth: of the memory from the first third of the time to the last, as a share.
        before: median latency of the probe before, ms.
        back: seconds after the last answer of the load until the probe is answered with 200 in
            less than twice that and 10 ms more; None if never.
    """

    served: float
    sent: float
    load: Load
    others: int
    memory: float
    growth: float
    before: float
    back: float | None


def overload(
    bundle: Path, picture: Path, place: Path, seconds: float, deadline: float, connections: int
) -> Overload:
    """Send a server ten times what it serves.

    Args:
        bundle: what is served.
        picture: what is sent.
        place: for what the server writes.
        seconds: how long.
        deadline: of the server.
        connections: of the load, as many as can wait in it at most.
    """
    workspace = Path(mkdtemp(dir=place))
    with serving(workspace, "--bundle", str(bundle), "--deadline", f"{deadline:g}") as server:
        load(server.url, picture, 16, _PROBE_SECONDS)  # warms up
        served = load(server.url, picture, 16, _PROBE_SECONDS).per_second
        probe = Probe(server.url, picture.read_bytes())
        try:
            began = time.monotonic()
            time.sleep(_PROBE_SECONDS)
            before = statistics.median(ms for _, _, ms, _ in probe.between(began, time.monotonic()))
            started = time.monotonic()
            with server.watch_memory():
                each = TIMES * served / connections
                found = load(server.url, picture, connections, seconds, each_per_second=each)
            ended = time.monotonic()
            time.sleep(_PROBE_SECONDS)
        finally:
            probe.stop()
        meanwhile = probe.between(started, ended)
        others = sum(
            not (status == 200 or (status == 503 and after)) for _, status, _, after in meanwhile
        )
        return Overload(
            served, len(found.answers) / seconds, found, others, server.peak,
            server.growth(_SETTLED * seconds), before, _back(probe, ended, 2 * before + 10),
        )  # fmt: skip


def _back(probe: Probe, ended: float, milliseconds: float) -> float | None:
    """Return after how many seconds the probe is answered quickly, and stays so."""
    after = probe.between(ended, float("inf"))
    slow = [at for at, status, ms, _ in after if status != 200 or ms > milliseconds]
    if slow and slow[-1] == after[-1][0]:
        return None
    return (slow[-1] - ended) if slow else 0.0
