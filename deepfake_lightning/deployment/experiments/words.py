"""What an experiment says, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from deepfake_lightning.deployment.canary.guarding import Finding
from deepfake_lightning.deployment.experiments.decision import (
    ArmFigures,
    ChallengerFinding,
    Labels,
    SplitCheck,
    Verdict,
)
from deepfake_lightning.deployment.experiments.experiment import Experiment, Run
from deepfake_lightning.deployment.experiments.policy import Metric
from deepfake_lightning.metrics import AnytimeTest
from deepfake_lightning.monitoring.log.records import LabelSource

METRICS: dict[Metric, str] = {
    "correct": "right verdicts", "brier": "Brier score, mirrored", "log_loss": "log likelihood",
}  # fmt: skip
HOW: dict[LabelSource, str] = {
    "feedback": "POST /v1/feedback",
    "review": "deepfake-lightning feedback review",
    "import": "deepfake-lightning feedback import FILE",
}
"""How labels are given, by their source."""
_KEY_HINT = (
    "something decides who gets which version, or few clients (X-Client-Key) send most of it; no"
    " difference can be trusted until that is found"
)


def metric_name(experiment: Experiment) -> str:
    """Return what is compared, in words."""
    name = METRICS[experiment.policy.metric]
    return f"{name}, classes counted the same" if experiment.policy.balanced else name


def amount(value: float, metric: Metric) -> str:
    """Return a difference as it is told: percentage points for verdicts."""
    return f"{value:+.4f}" if metric != "correct" else f"{100 * value:+.2f} points"


def interval(low: float | None, high: float | None, metric: Metric) -> str:
    """Return an interval as it is told; of none, that."""
    if low is None or high is None:
        return "undefined"
    if metric == "correct":
        return f"{100 * low:+.2f} to {100 * high:+.2f}"
    return f"{low:+.4f} to {high:+.4f}"


def duration(seconds: float) -> str:
    """Return a time as it is told, in whole units that say enough."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}s"
    return "a minute" if seconds >= 30 else "less than a minute"


def sentence(
    experiment: Experiment,
    version: str,
    verdict: Verdict,
    test: AnytimeTest,
    split: SplitCheck,
    days: float,
) -> str:
    """Return a verdict with what it rests on."""
    policy, control = experiment.policy, experiment.control
    if test.difference is None:
        return (f"cannot tell yet: too few labels; {policy.least} of each class for each version"
                " are needed before anything is concluded")  # fmt: skip
    about = f"{amount(test.difference, policy.metric)} in {metric_name(experiment)}"
    about += f" ({interval(test.low, test.high, policy.metric)}, at all looks together)"
    if verdict == "no difference that matters":
        return f"{version} differs from {control} by less than matters: {about}"
    if verdict != "cannot tell yet":
        return f"{version} is {verdict} than {control}: {about}"
    if split.off:
        return f"cannot tell: {' and '.join(split.off)} are not split as meant. {version}: {about}"
    if days < policy.least_days:
        return (f"cannot tell yet: it runs for {days:.1f} of {policy.least_days:g} days."
                f" {version}: {about}")  # fmt: skip
    if test.contradicts:
        return (f"cannot tell: {version} was better and worse than {control} at different times;"
                f" now {about}")  # fmt: skip
    return f"cannot tell yet whether {version} is better than {control}: {about}"


def held_back(rails: Sequence[Finding], split: SplitCheck) -> tuple[str, ...]:
    """Return why a challenger should not be promoted, whatever its verdict is."""
    broken = [f"the guard-rail {one.guard} is broken" for one in rails if one.state == "broken"]
    return (*broken, *(f"{name} are not split as meant: {_KEY_HINT}" for name in split.off))


def outcome_of(run: Run) -> str:
    """Return what ended an experiment."""
    if run.state != "ended":
        return ""
    if run.ended_by is None:
        return "what serves was changed by hand"
    change = run.ended_by
    why = f": {change.reason}" if change.reason else ""
    return f"{change.event} by {change.by}, {run.outcome or 'nothing'} serves since{why}"


def missing_of(
    experiment: Experiment, run: Run, arms: Sequence[ArmFigures], labels: Labels, days: float
) -> tuple[str, ...]:
    """Return what it takes to tell more."""
    if run.state == "set up":
        return ("it never came to serve: its start was interrupted, or refused",)
    policy = experiment.policy
    found = []
    for name, side in (("fakes", "fake"), ("reals", "real")):
        short = [f"{one.version} has {getattr(one, name)}" for one in arms
                 if getattr(one, name) < policy.least]  # fmt: skip
        if short and policy.balanced:
            found.append(f"labels of {side} media: {', '.join(short)} of {policy.least}")
    sources = " or ".join(policy.sources)
    if not labels.requests:
        found.append(
            f"no request has a label of {sources}: nothing can be concluded without. Pick requests"
            f" at random, whatever the verdict, and say what they were: {HOW[policy.sources[0]]}"
        )
    if labels.others:
        there = ", ".join(f"{count:,} of {name}" for name, count in sorted(labels.others.items()))
        found.append(f"labels that do not count here: {there}; the policy takes {sources} alone")
    if run.state == "runs" and days < policy.least_days:
        found.append(f"time: it runs for {days:.1f} of {policy.least_days:g} days")
    if run.state == "runs" and not any(one.requests for one in arms):
        found.append("requests: no whole minute with any yet")
    return tuple(found)


def advice(
    experiment: Experiment,
    run: Run,
    found: Sequence[ChallengerFinding],
    split: SplitCheck,
) -> str:
    """Return the next command."""
    start = f"deepfake-lightning abtest start VERSION --env {experiment.environment}"
    command = f"deepfake-lightning abtest {{}} --env {experiment.environment}"
    if run.state != "runs":
        return start
    if split.off or any(one.broken for one in found):
        return command.format("stop") + ' --reason "..."'
    better = [one for one in found if one.verdict == "better" and not one.holds_back]
    if better:
        best = max(better, key=lambda one: one.difference or 0.0)
        return f"deepfake-lightning abtest promote {best.version} --env {experiment.environment}"
    if all(one.verdict in ("worse", "no difference that matters") for one in found):
        return command.format("stop") + ' --reason "no better one among them"'
    return command.format("status")
