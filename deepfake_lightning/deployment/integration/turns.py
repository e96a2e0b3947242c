"""Versions that take turns while clients ask: swap under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path

from deepfake_lightning.deployment.integration.memory import settled_memory_mb
from deepfake_lightning.deployment.integration.server import ServerDown, StagingServer
from deepfake_lightning.deployment.integration.traffic import Answer, Traffic
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving
from deepfake_lightning.storage import write_json

_LOOK_EVERY = 0.2  # seconds
_WARM_UP = 2  # answers of each client that do not count


@dataclass(frozen=True)
class Turn:
    """A version has all the traffic for a while; times are of ``time.monotonic()``.

    Attributes:
        version: that was to serve.
        began: when the environment's file was changed.
        took_over: when its first answer came; None where none did.
        ended: when all of its requests were answered.
        refused: why the server did not take it; None where it did.
        memory: of the server at the end, MB; None where it cannot be known.
    """

    version: str
    began: float
    took_over: float | None = None
    ended: float | None = None
    refused: str | None = None
    memory: float | None = None


def deploy(path: Path, version: str) -> None:
    """Write an environment's file: a version with all the traffic."""
    record = EnvironmentRecord(serving=(Serving(version=version, share=1.0),))
    write_json(path, record.model_dump(mode="json", by_alias=True))


def take_turns(
    server: StagingServer,
    traffic: Traffic,
    path: Path,
    order: Sequence[tuple[str, int]],
    *,
    seconds: float,
    clients: int,
    on_turn: Callable[[int], None] = lambda number: None,
) -> list[Turn]:
    """Let versions take turns; it ends with one that does not take over.

    Args:
        server: that follows the environment.
        traffic: that asks it.
        path: of the environment's file.
        order: of the versions, each with its requests. The first one serves already.
        seconds: in which a version has to take over.
        clients: that ask at a time.
        on_turn: told the number of each turn, from 0.

    Raises:
        ServerDown: the server is gone.
    """
    turns: list[Turn] = []
    for number, (version, requests) in enumerate(order):
        on_turn(number)
        turn = Turn(version, time.monotonic())
        if number:
            deploy(path, version)
        turn = _taken_over(server, traffic, turn, seconds)
        turns.append(turn)
        if turn.took_over is None:
            break
        count = requests + clients * _WARM_UP
        enough = partial(_come_since, since=turn.took_over, count=count)
        while not traffic.wait_until(enough, _LOOK_EVERY):
            _check_alive(server)
        ended = time.monotonic()  # before the memory is looked at, which holds the server up
        memory = settled_memory_mb(server.process.pid)
        turns[-1] = replace(turn, ended=ended, memory=memory)
    return turns


def measured(answers: Sequence[Answer], turn: Turn, clients: int) -> list[float]:
    """Return the milliseconds of a turn's good answers, but for the first of each client."""
    times = [1000 * (one.came - one.sent) for one in _of(answers, turn)]
    return times[clients * _WARM_UP :]


def strays(answers: Sequence[Answer], turns: Sequence[Turn]) -> list[Answer]:
    """Return the answers of other versions to what was sent while one had the traffic."""
    found = []
    for turn in turns:
        if turn.took_over is not None and turn.ended is not None:
            found += [
                one for one in answers
                if turn.took_over <= one.sent <= turn.ended and one.version
                and one.version != turn.version
            ]  # fmt: skip
    return found


def _taken_over(server: StagingServer, traffic: Traffic, turn: Turn, seconds: float) -> Turn:
    end = turn.began + seconds
    while time.monotonic() < end:
        if traffic.wait_until(partial(_has_answered, turn=turn), _LOOK_EVERY):
            first = min(one.came for one in list(traffic.answers) if _is_of(one, turn))
            return replace(turn, took_over=first)
        _check_alive(server)
        if (refused := server.refused()) is not None:
            return replace(turn, refused=refused)
    return turn


def _has_answered(answers: Sequence[Answer], *, turn: Turn) -> bool:
    return any(_is_of(one, turn) for one in _since(answers, turn.began))


def _come_since(answers: Sequence[Answer], *, since: float, count: int) -> bool:
    return len(answers) >= count and answers[-count].came >= since


def _since(answers: Sequence[Answer], moment: float) -> Iterator[Answer]:
    """Yield the answers that came since a moment, the latest first: there may be thousands."""
    return takewhile(lambda one: one.came >= moment, reversed(answers))


def _of(answers: Sequence[Answer], turn: Turn) -> list[Answer]:
    end = turn.ended or float("inf")
    return [one for one in answers if _is_of(one, turn) and one.came <= end]


def _is_of(answer: Answer, turn: Turn) -> bool:
    since = turn.began if turn.took_over is None else turn.took_over
    return answer.came >= since and answer.status == 200 and answer.version == turn.version


def _check_alive(server: StagingServer) -> None:
    if (gone := server.why_gone()) is not None:
        raise ServerDown(gone)
