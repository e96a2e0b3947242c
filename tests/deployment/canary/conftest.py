"""A production environment in which v1.0.0 serves, its prediction log, and a clock to turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import CanaryPolicy, begin
from deepfake_lightning.deployment.canary.minutes import Arm, Minutes
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.totals import LATENCY_EDGES, SCORE_EDGES
from deepfake_lightning.monitoring.log.writing import MINUTE_US
from deepfake_lightning.storage import Workspace, write_json

CHAMPION, CANDIDATE = "v1.0.0", "v1.1.0"


class Clock:
    """A time that is turned by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def production(workspace: Workspace, clock: Clock) -> Environment:
    """Return the environment; v1.0.0 serves it alone."""
    environment = Environment(workspace, "production", clock=clock)
    environment.change(environment.record(), whole(CHAMPION), Act("deploy", "the first"))
    return environment


@pytest.fixture
def log(workspace: Workspace) -> Iterator[PredictionLog]:
    """Return its prediction log."""
    with PredictionLog(workspace.monitoring / "predictions.db") as opened:
        yield opened


@pytest.fixture
def policy() -> CanaryPolicy:
    """Return a policy with short steps."""
    return CanaryPolicy(minutes=3, requests=20)


@pytest.fixture
def begun(production: Environment, policy: CanaryPolicy, clock: Clock) -> Environment:
    """Return the environment with a canary of v1.1.0 that has just begun."""
    begin(production, CANDIDATE, policy, Act("canary", "try it"), now=clock())
    serve(production)
    return production


def serve(environment: Environment) -> None:
    """Note what a running server does: that it has taken what the file says."""
    record = environment.record().model_dump(mode="json", by_alias=True)
    write_json(environment.workspace.serving / f"{environment.name}.json", record)


@pytest.fixture
def taken() -> Callable[[Environment], None]:
    return serve


@pytest.fixture
def answer(log: PredictionLog, clock: Clock) -> Callable[..., None]:
    """Return a function that logs a minute of requests, and lets it pass.

    ``answer({"v1.0.0": 40, "v1.1.0": 10}, bad={"v1.1.0": 3})``: of 10 requests 3 fail.
    """
    numbers = count()

    def log_minute(requests: dict[str, int], bad: dict[str, int] | None = None) -> None:
        at = round(clock().timestamp() * 1e6)
        rows = []
        for version, number in requests.items():
            for place in range(number):
                failed = place < (bad or {}).get(version, 0)
                item = ItemScore(0, "ok", -1.0, 0.2 + place % 5 / 10, True, 1, 1, version)
                row = LoggedRequest(
                    f"{next(numbers):032x}", at + place, version, "ab", "/v1/predict",
                    500 if failed else 200, 9, 50_000 + 1000 * (place % 7), media_type="image",
                    environment="production", variant="serving", items=() if failed else (item,),
                )  # fmt: skip
                rows.append(row)
        log.append_many(rows)
        clock.pass_minutes(1)

    return log_minute


@pytest.fixture(scope="session")
def make_minutes() -> Callable[..., Minutes]:
    """Return a function that draws minutes: ``make_minutes(30, champion=95, candidate=5)``.

    ``worse`` are changes of the candidate's arm from minute ``since`` on: shares ``errors``,
    ``refusals``, ``unseen``; ``slower``, a factor; ``log_odds``, added to its scores.
    """

    def make(
        minutes: int, *, champion: int = 95, candidate: int = 5, since: int = 0, seed: int = 0,
        **worse: float,
    ) -> Minutes:  # fmt: skip
        draw = np.random.default_rng(seed)
        arms = []
        for number, changes in ((champion, {}), (candidate, worse)):
            parts = [_arm(draw, number, changes if one >= since else {}) for one in range(minutes)]
            values = zip(*(vars(part).values() for part in parts), strict=True)
            arms.append(Arm(*(np.concatenate(value) for value in values)))
        starts = np.arange(minutes, dtype=np.int64) * MINUTE_US
        answered = int(arms[1].requests.sum())
        return Minutes(starts, arms[0], arms[1], int(starts[-1]) if minutes else None, answered)

    return make


def _arm(draw: np.random.Generator, number: int, worse: dict[str, Any]) -> Arm:
    errors = draw.random(number) < 0.002 + worse.get("errors", 0)
    refusals = draw.random(number) < 0.001 + worse.get("refusals", 0)
    unseen = draw.random(number) < 0.05 + worse.get("unseen", 0)
    latency = 1e5 * np.exp(0.5 * draw.standard_normal(number)) * worse.get("slower", 1)
    fake = draw.random(number) < 0.1
    score = np.where(fake, 2.5, -2.5) + 1.5 * draw.standard_normal(number)
    score = np.clip(score + worse.get("log_odds", 0), -9.9, 9.9)
    every = np.ones(number, np.int64)
    counts = [np.array([one.sum()]) for one in (every, errors, refusals, every, unseen)]
    buckets = np.searchsorted(LATENCY_EDGES, latency, side="right")
    return Arm(
        *counts,
        np.bincount(buckets, minlength=len(LATENCY_EDGES) + 1)[None],
        np.histogram(score[~unseen], SCORE_EDGES)[0][None],
    )
