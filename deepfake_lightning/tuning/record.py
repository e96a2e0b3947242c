"""What came of a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from deepfake_lightning.tuning.claiming import taken_up
from deepfake_lightning.tuning.space import Value

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
ENDED = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class TrialRecord:
    """A trial.

    Attributes:
        number: from 0, in the order in which they were begun.
        state: complete, pruned, failed, interrupted (its values were, or will be, tried again),
            running or waiting.
        value: the objective at the best epoch; of a pruned trial at its last one; None: undefined.
        values: of the keys in the space.
        is_default: whether they are the base's own.
        curve: the objective after each validation.
        seconds: of the training and all around it.
        run: the name of its folder of runs.
        reason: why it failed, or how it ended.
    """

    number: int
    state: str
    value: float | None
    values: Mapping[str, Value]
    is_default: bool = False
    curve: Sequence[float] = ()
    seconds: float | None = None
    run: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class SweepResult:
    """A sweep, as far as it is.

    Attributes:
        study: its name.
        status: ``finished``, ``timed out`` or ``interrupted``.
        objective: the metric that is chosen by, on validation.
        direction: ``maximize`` or ``minimize``.
        base: the configuration that was varied.
        asked: how many trials there are to be.
        trials: all that were begun.
        log_keys: the keys that are searched by order of magnitude.
        importance: key -> share of the objective's variance that it explains (fANOVA), largest
            first; empty where there are too few trials.
        folder: where the study's files are.
        runs: where the trials' runs are.
        storage: what to open with optuna-dashboard.
        seconds: that this command took.
        outside: keys whose value in the base lies outside of the space: then there is no default.
        replaced: worker processes that died and were replaced.
        registered: what became of the best, where it was to be registered.
    """

    study: str
    status: str
    objective: str
    direction: str
    base: str
    asked: int
    trials: Sequence[TrialRecord]
    log_keys: Sequence[str]
    importance: Mapping[str, float]
    folder: Path
    runs: Path
    storage: str
    seconds: float
    outside: Sequence[str] = ()
    replaced: int = 0
    registered: Mapping[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> TrialRecord | None:
        """The best complete trial."""
        return next(iter(self.ranked), None)

    @property
    def default(self) -> TrialRecord | None:
        """The trial of the base's own values."""
        ended = [one for one in self.trials if one.is_default and one.state in ENDED]
        return ended[0] if ended else None

    @property
    def ranked(self) -> list[TrialRecord]:
        """The complete trials, the best first."""
        return ranked(self.trials, self.direction)

    @property
    def counts(self) -> dict[str, int]:
        """How many trials there are of each state."""
        return dict(Counter(one.state for one in self.trials))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        plain = asdict(self)
        plain |= {"folder": str(self.folder), "runs": str(self.runs), "counts": self.counts}
        plain |= {"best": self.best and self.best.number}
        plain |= {"default": self.default and self.default.number}
        return {"schema": 1, **plain}


def ranked(trials: Sequence[TrialRecord], direction: str) -> list[TrialRecord]:
    """Return the complete trials, the best first; of equals the earlier one."""
    sign = -1.0 if direction == "maximize" else 1.0
    complete = [one for one in trials if one.state == "complete" and one.value is not None]
    return sorted(complete, key=lambda one: (sign * float(one.value or 0.0), one.number))


def records_of(trials: Sequence[FrozenTrial]) -> list[TrialRecord]:
    """Return Optuna's trials as records."""
    again = taken_up(trials)
    return [_record(one, one.number in again) for one in trials]


def _record(one: FrozenTrial, is_taken_up: bool) -> TrialRecord:
    attributes = one.user_attrs
    state, reason = _STATES.get(one.state, ""), attributes.get("why", "")
    if one.state == TrialState.FAIL:
        reason = attributes.get("reason", "")
        state = "failed" if reason else "interrupted"
        if not reason:
            told = attributes.get("interrupted")
            reason = "interrupted" if told else "its process was killed"
            reason += "; its values were put in line again" if is_taken_up else ""
    return TrialRecord(
        number=one.number,
        state=state,
        value=one.value if one.state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
        values=one.params,
        is_default=bool(attributes.get("default")),
        curve=[value for _, value in sorted(one.intermediate_values.items())],
        seconds=attributes.get("seconds"),
        run=attributes.get("run"),
        reason=reason,
    )
