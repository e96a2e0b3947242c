"""What an experiment says so far, with its reasons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from deepfake_lightning.deployment.canary.guarding import Finding
from deepfake_lightning.deployment.experiments.experiment import Experiment

Verdict = Literal["better", "worse", "no difference that matters", "cannot tell yet"]
FILE, PAGE = "decision.json", "page.html"


@dataclass(frozen=True)
class ArmFigures:
    """What one version did.

    Attributes:
        version: which.
        share: of the requests that it answers; 0 in the shadow.
        requests: that it answered, in whole minutes of the experiment.
        items: that it scored in them; in the shadow, too.
        no_face, errors: shares of items without a score, and of requests that failed (5xx).
        p95_ms: latency of its answers.
        fakes, reals: labels of requests that it scored.
        on_fakes, on_reals, value: mean gain on these, and what both give by the policy; of all
            labels, while the tests have those that both versions of a pair can use.
    """

    version: str
    share: float
    requests: int
    items: int
    no_face: float | None
    errors: float | None
    p95_ms: float | None
    fakes: int
    reals: int
    on_fakes: float | None
    on_reals: float | None
    value: float | None

    @property
    def answered(self) -> int | None:
        """The requests; None before a minute is over, when there are labels already."""
        return self.requests if self.requests or not self.fakes + self.reals else None


@dataclass(frozen=True)
class Point:
    """A look.

    Attributes:
        label_us: when the label came after which it was, microseconds since 1970, UTC.
        labels: how many there were.
        difference, low, high: the estimate, and what all looks until then are sure of.
    """

    label_us: int
    labels: int
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class ChallengerFinding:
    """A challenger against the control.

    Attributes:
        version: of the challenger.
        verdict: what is known.
        says: the same in a sentence, with its reasons.
        difference: of the gains, challenger less control; None before there are enough labels.
        low, high: interval that holds at all looks, at level 1 - alpha / challengers.
        p: always-valid, corrected for the number of challengers.
        labels: that the two have for it: requests in the shadow, else those of either version.
        same: of these, in how many both got the same; None where requests were split.
        decided: when the p-value fell to alpha, UTC, RFC 3339; None where it has not.
        labels_needed: more labels until a decision, if the difference is what it seems.
        seconds_needed: as long as these take to come at the present rate.
        guard_rails: in what it may be worse; none in the shadow, where it answers nobody.
        holds_back: why it should not be promoted whatever the verdict is, in sentences.
        path: some of the looks, in order.
    """

    version: str
    verdict: Verdict
    says: str
    difference: float | None
    low: float | None
    high: float | None
    p: float
    labels: int
    same: int | None
    decided: str | None
    labels_needed: int | None
    seconds_needed: float | None
    guard_rails: tuple[Finding, ...]
    holds_back: tuple[str, ...]
    path: tuple[Point, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The guard-rails that it broke."""
        return tuple(one for one in self.guard_rails if one.state == "broken")


@dataclass(frozen=True)
class SplitCheck:
    """Whether requests, and labels, are split as they were meant to be.

    Attributes:
        p_requests, p_labels: always-valid p-values; None in the shadow, where nothing is split.
        level: below it the split is off.
    """

    p_requests: float | None
    p_labels: float | None
    level: float

    @property
    def off(self) -> tuple[str, ...]:
        """What is split otherwise than it was meant to be: requests, labels."""
        both = {"requests": self.p_requests, "labels": self.p_labels}
        return tuple(name for name, p in both.items() if p is not None and p < self.level)


@dataclass(frozen=True)
class Labels:
    """What is known of the labels.

    Attributes:
        requests: that have one that counts.
        others: how many have only labels of other sources, by source.
        coverage: share of the requests that have one; None without requests.
        delay_s: from request to label, the median; None without labels.
        a_day: how many came a day lately.
    """

    requests: int
    others: Mapping[str, int]
    coverage: float | None
    delay_s: float | None
    a_day: float


@dataclass(frozen=True)
class ExperimentDecision:
    """What an experiment says.

    Attributes:
        experiment: what was set up.
        state: ``set up``, ``runs`` or ``ended``.
        started, ended, judged: UTC, RFC 3339.
        outcome: in words, what ended it; empty while it runs.
        arms: the versions, the control first.
        challengers: a finding each.
        split: whether the split is as it should be.
        labels: what is known of them.
        missing: what it takes to tell more, in sentences.
        next_step: a command.
    """

    experiment: Experiment
    state: str
    started: str | None
    ended: str | None
    judged: str
    outcome: str
    arms: tuple[ArmFigures, ...]
    challengers: tuple[ChallengerFinding, ...]
    split: SplitCheck
    labels: Labels
    missing: tuple[str, ...]
    next_step: str

    @property
    def winner(self) -> ChallengerFinding | None:
        """The challenger that is better and is not held back, by the largest difference."""
        better = [one for one in self.challengers if one.verdict == "better" and not one.holds_back]
        return max(better, key=lambda one: one.difference or 0.0, default=None)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Why it should be stopped, in sentences."""
        broken = [
            f"{one.version} broke a guard-rail: {', '.join(rail.guard for rail in one.broken)}"
            for one in self.challengers if one.broken
        ]  # fmt: skip
        off = [f"{name} are not split as they were meant to be" for name in self.split.off]
        return (*broken, *off)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        record = asdict(self)
        record["experiment"] = self.experiment.model_dump(mode="json", by_alias=True)
        record["alarms"] = list(self.alarms)
        record["winner"] = self.winner.version if self.winner else None
        plain: dict[str, Any] = json.loads(json.dumps({"schema": 1, **record}, allow_nan=False))
        return plain
