"""What deployment tells the pages: what serves, what was changed, canaries and A/B tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from safetensors.numpy import load

from deepfake_lightning.bundle.load import REFERENCE, REFERENCE_ARRAYS, read_records
from deepfake_lightning.dashboard.source import SLOW, Source
from deepfake_lightning.deployment import canary, experiments
from deepfake_lightning.deployment.acts import ChangeRecord
from deepfake_lightning.deployment.environment import Environment, utc_now
from deepfake_lightning.deployment.experiments.experiment import running_in
from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.monitoring.alerts.detection import own_figure
from deepfake_lightning.monitoring.log.totals import SCORE_EDGES
from deepfake_lightning.monitoring.windows import Period
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.entries import read_measured
from deepfake_lightning.registry.record import Entry
from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.schemas.measured import MeasuredValue

_YEAR = 365 * 86400.0  # what a version was measured to be never changes


@dataclass(frozen=True)
class Mark:
    """A change of what serves, on the axis of time.

    Attributes:
        at_us: when, microseconds since 1970, UTC.
        event: what was done.
        says: what serves since.
        by, reason: who did it, and why.
    """

    at_us: int
    event: str
    says: str
    by: str
    reason: str


def changes(source: Source, env: str) -> list[Mark]:
    """Return what was done to an environment, the oldest first."""

    def read() -> list[Mark]:
        history = Environment(source.workspace, env).history
        return [_mark(one) for one in history.done(env)]

    return source.ask(("changes", env), read)


def marks(source: Source, env: str, period: Period) -> list[Mark]:
    """Return the changes of a period."""
    found = changes(source, env)
    return [one for one in found if period.start_us <= one.at_us < period.end_us]


def _mark(change: ChangeRecord) -> Mark:
    at_us = round(datetime.fromisoformat(change.at).timestamp() * 1_000_000)
    return Mark(at_us, change.event, change.after.says, change.by, change.reason)


def canary_of(source: Source, env: str) -> canary.CanaryDecision | None:
    """Return how a canary fares, None where none was ever begun."""

    def read() -> canary.CanaryDecision | None:
        environment = Environment(source.workspace, env)
        if canary.read_state(environment) is None:
            return None
        return canary.look(environment, log=source.log(), now=utc_now())

    return source.ask(("canary", env), read, SLOW)


def test_of(source: Source, env: str) -> experiments.ExperimentDecision | None:
    """Return what the A/B test of an environment says, or the last one there was."""

    def read() -> experiments.ExperimentDecision | None:
        environment = Environment(source.workspace, env)
        here = [one for one in experiments.every(source.workspace) if one.environment == env]
        found = running_in(environment) or (here[-1] if here else None)
        if found is None:
            return None
        return experiments.status(environment, found, source.log(), utc_now())

    return source.ask(("test", env), read, SLOW)


def entries(source: Source) -> list[Entry]:
    """Return the versions of the registry, the highest first."""
    return source.ask(("entries",), lambda: Registry(source.workspace).entries()[::-1], SLOW)


def own_figures(source: Source, version: str, media: MediaType) -> dict[str, MeasuredValue]:
    """Return what a version was measured to be before it served, where production says the same.

    Balanced accuracy, recall and false alarms at the threshold of its verdicts, and AUROC. Its
    other metrics are at probability 0.5, or of another share of fakes.

    Returns:
        Nothing where it is not known.
    """

    def read() -> dict[str, MeasuredValue]:
        try:
            found = read_measured(read_records(Registry(source.workspace).folder(version)))
        except (DeepfakeLightningError, OSError):
            return {}
        if found is None:
            return {}
        at = own_figure(found, media)
        named = {} if at is None else {
            name: MeasuredValue(value=one.value, low=one.low, high=one.high)
            for name in ("balanced_accuracy", "recall", "fpr") if (one := getattr(at, name))
        }  # fmt: skip
        return {**named, "auroc": found.item("auroc")}

    return source.ask(("measured", version, media), read, _YEAR) if version else {}


@dataclass(frozen=True)
class ScoreReference:
    """What a version said of the data it was measured on.

    Attributes:
        shares: of the items, by calibrated log-odds between two of ``totals.SCORE_EDGES``.
        items, fakes: how many there were, and how many of them are fake.
        split: of the data set.
        indicated_from, clear_below: calibrated log-odds that bound the verdicts; None without.
    """

    shares: tuple[float, ...]
    items: int
    fakes: int
    split: str
    indicated_from: float | None
    clear_below: float | None


def score_reference(source: Source, version: str, media: MediaType) -> ScoreReference | None:
    """Return what to hold a version's scores against; None where its bundle cannot be read."""

    def read() -> ScoreReference | None:
        try:
            bundle = read_records(Registry(source.workspace).folder(version))
            arrays = load(bundle.read(REFERENCE_ARRAYS))
            split = str(bundle.read_json(REFERENCE).get("split", ""))
        except (DeepfakeLightningError, OSError, ValueError):
            return None
        fitted = bundle.calibration.of(media)
        logits = np.asarray(arrays["item_logit"], np.float64) / (
            fitted.temperature if fitted else 1
        )
        counts, _ = np.histogram(np.clip(logits, SCORE_EDGES[0], SCORE_EDGES[-1]), SCORE_EDGES)
        return ScoreReference(
            tuple((counts / max(1, counts.sum())).tolist()), len(logits),
            int((arrays["item_label"] == 1).sum()), split,
            fitted.indicated_from if fitted else None, fitted.clear_below if fitted else None,
        )  # fmt: skip

    return source.ask(("scores", version, media), read, _YEAR) if version else None
