"""A sweep in sentences and cells, for the page and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from deepfake_lightning.tuning.record import ENDED, SweepResult, TrialRecord
from deepfake_lightning.tuning.space import Value

OPTIMISTIC = (
    "The best value was chosen on validation, from many: it is optimistic, the more so the more "
    "trials there were. What the detector is worth is measured on the test split."
)
FEW = 30


def shown(value: Value) -> str:
    """Return a hyperparameter as a cell has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def score(value: float | None) -> str:
    """Return an objective as a cell has it."""
    return "" if value is None else f"{value:.4f}"


def seconds(value: float | None) -> str:
    """Return a duration as a cell has it."""
    return "" if value is None else f"{value:.0f} s"


def counted(result: SweepResult) -> str:
    """Return how many trials there are of each kind."""
    counts = result.counts
    ended = sum(counts.get(state, 0) for state in ENDED)
    parts = [f"{n} {state}" for state, n in sorted(counts.items(), key=lambda held: -held[1])]
    return f"{ended} of {result.asked} trials done: {', '.join(parts) or 'none begun'}"


def against_default(result: SweepResult) -> str:
    """Return the sentence that holds the best against the base's own values."""
    best, default = result.best, result.default
    if best is None:
        return "No trial is complete: there is no best."
    head = f"best: trial {best.number}, {result.objective} {score(best.value)}"
    if default is None or default.value is None:
        if result.outside:
            return (
                f"{head}; the base's own values are not in the space "
                f"({', '.join(result.outside)}), so that there is no default to hold it against"
            )
        return f"{head}; the base's own values came to no result"
    if default.number == best.number:
        return f"{head}: the base's own values, which no other trial surpassed"
    gain = float(best.value or 0.0) - default.value
    note = " (pruned)" if default.state == "pruned" else ""
    return f"{head}; the base's own values: {score(default.value)}{note} ({gain:+.4f} for the best)"


def importance(result: SweepResult) -> str:
    """Return what the objective depends on, and how far that is to be believed."""
    if not result.importance:
        return "What matters most cannot be told from so few complete trials."
    parts = [f"{key} {share:.0%}" for key, share in list(result.importance.items())[:4]]
    count = result.counts.get("complete", 0)
    hint = f", a hint only: {count} complete trials" if count < FEW else ""
    return f"matters most: {', '.join(parts)} (share of variance, fANOVA{hint})"


def rows(trials: Sequence[TrialRecord], keys: Sequence[str]) -> list[list[str]]:
    """Return the cells of a table of trials."""
    return [
        [str(one.number), one.state + (", default" if one.is_default else ""), score(one.value),
         seconds(one.seconds), *(shown(one.values[k]) if k in one.values else "" for k in keys)]
        for one in trials
    ]  # fmt: skip
