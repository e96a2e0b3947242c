"""A production environment in which v1.0.0 serves, others that passed staging, and its traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from sqlalchemy import insert

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.experiments import Experiment, ExperimentPolicy, Start, start
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.labelled import LabelledScore
from deepfake_lightning.monitoring.log.tables import labels as label_table
from deepfake_lightning.monitoring.log.writing import mark_dirty
from deepfake_lightning.serving.fleet.routing import choose, place_of
from deepfake_lightning.storage import Workspace

BEGAN = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)


class Clock:
    """A time that is turned by hand."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    @property
    def us(self) -> int:
        return round(self.now.timestamp() * 1e6)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def production(workspace: Workspace, clock: Clock) -> Environment:
    """Return the environment; v1.0.0 serves it alone, v1.1.0 and v1.2.0 passed staging."""
    staging = Environment(workspace, "staging", clock=clock)
    for version in ("v1.1.0", "v1.2.0"):
        staging.change(staging.record(), whole(version), Act("deploy", "try it"))
    environment = Environment(workspace, "production", clock=clock)
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy", "the first"))
    return environment


@pytest.fixture
def log(workspace: Workspace) -> Iterator[PredictionLog]:
    with PredictionLog(workspace.monitoring / "predictions.db") as opened:
        yield opened


@pytest.fixture
def policy() -> ExperimentPolicy:
    """Return rules under which a day need not pass."""
    return ExperimentPolicy(least_days=0)


@pytest.fixture
def begin(
    production: Environment, clock: Clock, policy: ExperimentPolicy
) -> Callable[..., Experiment]:
    """Return a function that starts an experiment: ``begin("v1.1.0", mode="shadow")``."""

    def began(*versions: str, **wish: object) -> Experiment:
        asked = Start(versions, **{"policy": policy, "name": "eyes", **wish})
        return start(production.workspace, asked, clock=clock)[0]

    return began


_VERDICTS = {True: "manipulation_indicated", False: "no_indication"}


@pytest.fixture
def serve(log: PredictionLog, clock: Clock) -> Callable[..., list[str]]:
    """Return a function that serves requests of an experiment, and labels them an hour later.

    ``serve(experiment, {"v1.0.0": 0.9, ...}, 500)``: versions are right with these probabilities;
    in the shadow they are right and wrong on the same requests as far as that goes.
    """
    numbers = count()
    generator = np.random.default_rng(5)

    def item(version: str, variant: str, fake: bool, hard: float, right: float) -> ItemScore:
        says = fake if hard < right else not fake
        return ItemScore(
            0, "ok", 2.0 if says else -2.0, 0.88 if says else 0.12, True, 1, 1, version, "ab" * 32,
            variant=variant, verdict=_VERDICTS[says],
        )  # fmt: skip

    def served(
        experiment: Experiment, right: Mapping[str, float], number: int, *, fakes: float = 0.5,
        seconds: float = 1.0, labelled: float = 1.0, source: str = "review", status: int = 200,
        delay_s: float = 3600.0, latency_us: Mapping[str, int] | None = None,
    ) -> list[str]:  # fmt: skip
        rows, labels = [], []
        for _ in range(number):
            clock.wait(seconds=seconds)
            name, fake, hard = (
                f"{next(numbers):032x}",
                generator.random() < fakes,
                generator.random(),
            )
            shares = [one.share for one in experiment.serving().serving]
            version = experiment.arms[choose(shares, place_of(experiment.name, name))].version
            items = [item(version, "serving", fake, hard, right[version])]
            if experiment.mode == "shadow":
                items += [item(one, "shadow", fake, hard, right[one])
                          for one in experiment.challengers]  # fmt: skip
            rows.append(LoggedRequest(
                name, clock.us, version, "ab" * 32, "/v1/predict", status, 1000,
                (latency_us or {}).get(version, 50_000), None, "image", items[0].verdict,
                items=tuple(items), environment=experiment.environment, experiment=experiment.name,
            ))  # fmt: skip
            if generator.random() < labelled:
                at = clock.us + round(delay_s * 1e6)
                labels.append(
                    {"request_id": name, "ts_us": at, "label": int(fake), "by": "desk",
                     "source": source}
                )  # fmt: skip
        log.append_many(rows)
        with log.writing() as connection:  # all at once: one by one takes seconds
            if labels:
                connection.execute(insert(label_table), labels)
                mark_dirty(connection, [row.ts_us for row in rows])
        return [row.id for row in rows]

    return served


@pytest.fixture
def said() -> Callable[..., LabelledScore]:
    """Return a function that makes what a version said of a labelled request."""

    def make(number: int, version: str, label: int, **fields: object) -> LabelledScore:
        plain = {
            "request_id": f"r{number}", "ts_us": number * 10**6, "label": label,
            "label_us": (number + 60) * 10**6, "source": "review", "version": version,
            "variant": "serving", "verdict": _VERDICTS[label == 1], "score": 0.9 if label else 0.1,
            "logit": None, "status": "ok",
        }  # fmt: skip
        return LabelledScore(**{**plain, **fields})

    return make
