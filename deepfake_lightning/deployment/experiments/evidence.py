"""What the prediction log has of an experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import get_args

from sqlalchemy import select

from deepfake_lightning.deployment.canary.minutes import Minutes, read_minutes
from deepfake_lightning.deployment.experiments.experiment import Experiment, Run
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.labelled import LabelledScore, labelled_scores
from deepfake_lightning.monitoring.log.records import LabelSource
from deepfake_lightning.monitoring.log.rollup_windows import read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.tables import requests
from deepfake_lightning.monitoring.log.totals import Totals
from deepfake_lightning.monitoring.log.writing import MINUTE_US

_SETTLED_US = 10_000_000  # after the first request all processes of a server deal by the new shares


@dataclass(frozen=True)
class Evidence:
    """What there is.

    Attributes:
        scores: what the versions said of labelled requests, in the order of the labels.
        others: requests with labels of other sources alone, by source.
        window: whole minutes in which the shares held, microseconds: from, and up to but without;
            None where there are none yet.
        totals: of these, by version: as the one that answered, or in the shadow.
        minutes: the same for guard-rails, each challenger beside the control; empty in the shadow.
    """

    scores: tuple[LabelledScore, ...] = ()
    others: Mapping[str, int] | None = None
    window: tuple[int, int] | None = None
    totals: Mapping[str, Totals] | None = None
    minutes: Mapping[str, Minutes] | None = None


def collect(log: LogDatabase, experiment: Experiment, run: Run, now_us: int) -> Evidence:
    """Return what a log has of an experiment.

    Args:
        log: of which.
        experiment: which.
        run: since when it runs, and until when it did.
        now_us: the time, microseconds since 1970, UTC.

    Raises:
        StorageError: the log cannot be read.
    """
    if run.started is None:
        return Evidence()
    start_us = _us(run.started)
    of_it = partial(
        labelled_scores, log, environment=experiment.environment, experiment=experiment.name,
        start_us=start_us,
    )  # fmt: skip
    mine = experiment.policy.sources
    scores = of_it(sources=mine)
    known = {one.request_id for one in scores}
    rest = tuple(one for one in get_args(LabelSource) if one not in mine)
    others = {
        one.request_id: one.source
        for one in (of_it(sources=rest) if rest else ())
        if one.request_id not in known
    }
    make_rollups(log)
    window = _window(log, experiment, run, now_us)
    return Evidence(
        tuple(scores), Counter(others.values()), window,
        _totals(log, experiment, window) if window else None,
        _minutes(log, experiment, window) if window else None,
    )  # fmt: skip


def _window(
    log: LogDatabase, experiment: Experiment, run: Run, now_us: int
) -> tuple[int, int] | None:
    """Return the whole minutes from when the server dealt by the experiment, until it ended."""
    assert run.started is not None
    mine = (requests.c.experiment == experiment.name) & (requests.c.ts_us >= _us(run.started))
    query = select(requests.c.ts_us).where(mine).order_by(requests.c.ts_us).limit(1)
    with log.reading() as connection:
        first = connection.scalar(query)
    if first is None:
        return None
    begins = first + _SETTLED_US
    start = begins - begins % MINUTE_US + MINUTE_US
    end = min(now_us - _SETTLED_US, _us(run.ended) if run.ended else now_us)
    end -= end % MINUTE_US
    return (start, end) if start < end else None


def _totals(log: LogDatabase, experiment: Experiment, window: tuple[int, int]) -> dict[str, Totals]:
    where = {"environment": experiment.environment}
    found = read_rollups(log, *window, by=("version", "variant"), where=where)
    variants = {experiment.control: "serving"} | dict.fromkeys(
        experiment.challengers, "shadow" if experiment.mode == "shadow" else "serving"
    )
    return {one.key["version"]: one.totals for one in found
            if variants.get(one.key["version"]) == one.key["variant"]}  # fmt: skip


def _minutes(
    log: LogDatabase, experiment: Experiment, window: tuple[int, int]
) -> dict[str, Minutes]:
    if experiment.mode == "shadow":
        return {}
    start, end = window
    # It leaves out the minute that it begins in, and takes those that are over for some time.
    return {
        challenger: read_minutes(
            log, experiment.environment, experiment.control, challenger,
            from_us=start - MINUTE_US, now_us=end + _SETTLED_US,
        )
        for challenger in experiment.challengers
    }  # fmt: skip


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
