"""Numbers and names as reports write them: the same on pages, in Markdown and in terminals."""

from __future__ import annotations

from typing import Protocol

NAMES: dict[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "eer": "equal error rate",
    "tpr_at_fpr_1": "fakes found at 1 % false alarms",
    "tpr_at_fpr_01": "fakes found at 0.1 % false alarms",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "expected calibration error",
}
"""What metrics are called; keys are those of ``METRIC_NAMES``."""


class WithInterval(Protocol):
    """A value and the ends of its interval, each None where it is undefined."""

    @property
    def value(self) -> float | None:
        """The value itself."""

    @property
    def low(self) -> float | None:
        """The lower end."""

    @property
    def high(self) -> float | None:
        """The upper end."""


def number(value: float | None) -> str:
    """Return a value with three digits, or 'undefined'."""
    return "undefined" if value is None else f"{_rounded(value):.3f}"


def signed(value: float | None) -> str:
    """Return a difference with its sign, or 'undefined'."""
    return "undefined" if value is None else f"{_rounded(value):+.3f}"


def _rounded(value: float) -> float:
    return round(value, 3) + 0.0  # no -0.000


def span(low: float | None, high: float | None) -> str:
    """Return ``(0.012 to 0.050)``, empty without an interval."""
    return "" if low is None or high is None else f"({number(low)} to {number(high)})"


def with_interval(one: WithInterval) -> str:
    """Return ``0.912 (0.880 to 0.941)``, without what there is not."""
    return f"{number(one.value)} {span(one.low, one.high)}".strip()


def share(value: float | None) -> str:
    """Return a share as a percentage, or 'undefined'."""
    if value is None:
        return "undefined"
    return f"{100 * value:.2f} %" if 0 < value < 0.001 else f"{100 * value:.1f} %"


def share_with_interval(one: WithInterval) -> str:
    """Return ``91.2 % (88.0 to 94.1 %)``, without what there is not."""
    if one.low is None or one.high is None:
        return share(one.value)
    return f"{share(one.value)} ({100 * one.low:.1f} to {100 * one.high:.1f} %)"


def decisions(found: WithInterval, false_alarms: WithInterval, noun: str) -> str:
    """Return what a detector finds and what it calls manipulated, of the classes that there are."""
    finds = f"it finds {share_with_interval(found)} of the manipulated {noun}"
    calls = f"calls {share_with_interval(false_alarms)} of the real"
    if found.value is None:
        return f"it {calls} {noun} manipulated"
    return finds if false_alarms.value is None else f"{finds} and {calls} ones manipulated"


def counted(count: int, what: str) -> str:
    """Return ``1,350 items``, ``1 item``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
