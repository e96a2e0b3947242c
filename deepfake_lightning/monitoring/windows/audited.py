"""How good versions are on requests that were drawn for review, weighted back to the traffic.

Each request was drawn with a chance of its own, which ``review_queue`` keeps
(:mod:`~deepfake_lightning.metrics.weighted` has the estimators). Of those drawn not all have been
judged: within a stratum the labelled ones stand for all that were drawn, as if chosen at random
(response homogeneity groups: Saerndal, Swensson & Wretman 1992, chapter 15). Whether they were,
nothing here can tell; ``coverage`` says how much rests on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_lightning.metrics import Interval
from deepfake_lightning.metrics.weighted import (
    effective_size,
    weighted_auroc,
    weighted_quality,
    weighted_share,
)
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.records import Variant
from deepfake_lightning.monitoring.windows.audited_rows import (
    Drawn,
    Reviewed,
    drawn_of,
    reviewed_of,
)
from deepfake_lightning.monitoring.windows.periods import Period
from deepfake_lightning.monitoring.windows.scope import Scope

LOW_COVERAGE = 0.5
"""Below that share of labels among what was drawn, figures are said to rest on few."""

METRICS = (
    "accuracy", "balanced_accuracy", "precision", "recall", "fpr", "f1", "auroc",
)  # fmt: skip
_CALLS = {"manipulation_indicated": True, "no_indication": False, "inconclusive": False}


@dataclass(frozen=True)
class Estimate:
    """A figure in [0, 1] with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AuditedQuality:
    """What one version was worth on the traffic of a period.

    A verdict ``manipulation_indicated`` says fake, ``no_indication`` and ``inconclusive`` do not:
    as the bundle's figures at the threshold of its verdicts count them. Items that were not
    assessable or have no calibration have no part in the metrics. Undefined is None.

    Attributes:
        version, variant: whose.
        labels: requests that reviewers agree on, real or fake.
        effective: so many requests drawn at random would tell as much (Kish 1965).
        fakes: of ``labels``.
        drawn: requests of the period that were drawn for review.
        coverage: ``labels`` / ``drawn``; None with none drawn. Below ``LOW_COVERAGE`` figures may
            well be biased: those that nobody has judged yet may be the hard ones.
        unheard: share of the traffic in strata of which requests were drawn and none is labelled:
            the figures do not speak of it.
        delay_median_s, delay_p90_s: from the request to the opinion that settled its label.
        disagreements: requests whose reviewers disagree, until one more has judged.
        undecided: requests that were judged and have no label: disagreements, and those that
            reviewers cannot tell.
        unscored: of ``labels``, those that have no part in the metrics of verdicts.
        inconclusive: share of the traffic's verdicts.
        prevalence: share of fakes in the traffic.
        accuracy, balanced_accuracy, precision, recall, fpr, f1: of the verdicts.
        auroc: of the scores.
    """

    version: str
    variant: Variant
    labels: int
    effective: float
    fakes: int
    drawn: int
    coverage: float | None
    unheard: float
    delay_median_s: float | None
    delay_p90_s: float | None
    disagreements: int
    undecided: int
    unscored: int
    inconclusive: Estimate | None
    prevalence: Estimate | None
    accuracy: Estimate | None
    balanced_accuracy: Estimate | None
    precision: Estimate | None
    recall: Estimate | None
    fpr: Estimate | None
    f1: Estimate | None
    auroc: Estimate | None

    @property
    def low_coverage(self) -> bool:
        """Whether most of what was drawn is not labelled."""
        return self.coverage is not None and self.coverage < LOW_COVERAGE


def audited_quality(
    log: LogDatabase, period: Period, scope: Scope
) -> dict[tuple[str, Variant], AuditedQuality]:
    """Return how good each version and variant was on the requests of a period.

    Only versions of which something was drawn are there.

    Raises:
        StorageError: the log could not be read.
    """
    with log.reading() as connection:
        drawn = drawn_of(connection, period, scope)
        judged = reviewed_of(connection, period, scope)
    parts: dict[tuple[str, Variant], dict[str, Drawn]] = defaultdict(dict)
    for one in drawn:
        parts[one.version, one.variant][one.stratum] = one
    of: dict[tuple[str, Variant], list[Reviewed]] = defaultdict(list)
    for row in judged:
        of[row.version, row.variant].append(row)
    return {key: quality_of(key, parts[key], of[key]) for key in sorted(parts)}


def quality_of(
    key: tuple[str, Variant], drawn: dict[str, Drawn], judged: Sequence[Reviewed]
) -> AuditedQuality:
    """Return what a version was worth: pure.

    Args:
        key: version and variant.
        drawn: by stratum.
        judged: all requests of it that somebody has judged.
    """
    told = [row for row in judged if row.about.label in (0, 1)]
    number = sum(one.requests for one in drawn.values())
    whole = sum(one.weight for one in drawn.values())
    weights, heard = _weights(told, drawn)
    fake = np.array([row.about.label == 1 for row in told], np.bool_)
    calls = [_CALLS.get(row.verdict or "") for row in told]
    said = np.array([call is not None for call in calls], np.bool_)
    called = np.array([bool(call) for call in calls], np.bool_)
    unclear = np.array([row.verdict == "inconclusive" for row in told], np.bool_)
    scored = np.array([row.score is not None for row in told], np.bool_)
    scores = np.array([row.score for row in told], np.float64)
    found = weighted_quality(called[said], fake[said], weights[said])
    found["auroc"] = weighted_auroc(scores[scored], fake[scored], weights[scored])
    delays = [row.about.delay_s for row in told]
    torn = sum(row.about.label is None for row in judged)
    return AuditedQuality(
        version=key[0],
        variant=key[1],
        labels=len(told),
        effective=effective_size(weights),
        fakes=int(fake.sum()),
        drawn=number,
        coverage=len(told) / number if number else None,
        unheard=1 - heard / whole if whole else 0.0,
        delay_median_s=float(np.quantile(delays, 0.5)) if delays else None,
        delay_p90_s=float(np.quantile(delays, 0.9)) if delays else None,
        disagreements=torn,
        undecided=len(judged) - len(told),
        unscored=int((~said).sum()),
        inconclusive=_estimate(weighted_share(unclear[said], weights[said])),
        prevalence=_estimate(weighted_share(fake, weights)),
        **{name: _estimate(found[name]) for name in METRICS},
    )


def _weights(
    told: Sequence[Reviewed], drawn: dict[str, Drawn]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Return what each label stands for, float64 [N], and the traffic that labels stand for."""
    labelled: dict[str, float] = defaultdict(float)
    for row in told:
        labelled[row.about.stratum] += 1 / row.about.probability
    factor = {name: drawn[name].weight / weight for name, weight in labelled.items()}
    weights = [factor[row.about.stratum] / row.about.probability for row in told]
    return np.array(weights, np.float64), sum(drawn[name].weight for name in labelled)


def _estimate(found: Interval) -> Estimate | None:
    if found.value is None or found.low is None or found.high is None:
        return None
    return Estimate(found.value, found.low, found.high)
