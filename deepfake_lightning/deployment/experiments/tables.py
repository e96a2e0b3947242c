"""An experiment's figures as rows of text, for the page and the terminal."""

from __future__ import annotations

from deepfake_lightning.deployment.canary.words import says, share_of
from deepfake_lightning.deployment.experiments.decision import (
    ArmFigures,
    ChallengerFinding,
    ExperimentDecision,
)
from deepfake_lightning.deployment.experiments.words import amount, duration, interval

Rows = tuple[list[str], list[list[str]]]
_NONE = "-"
_LEAST_P = 1e-9  # below it, no figure says more


def arm_rows(found: ExperimentDecision) -> Rows:
    """Return a version a row: what it answered, and what it got for it."""
    heads = ["version", "share", "answered", "labels fake/real", "on fakes", "on reals", "value"]
    correct = found.experiment.policy.metric == "correct"
    return heads, [
        [one.version, _share(found, one), _answered(one), f"{one.fakes:,} / {one.reals:,}",
         *(_value(value, correct) for value in (one.on_fakes, one.on_reals, one.value))]
        for one in found.arms
    ]  # fmt: skip


def health_rows(found: ExperimentDecision) -> Rows:
    """Return a version a row: how it went."""
    heads = ["version", "scored", "no face", "failed", "p95 ms"]
    return heads, [
        [one.version, f"{one.items:,}", _percent(one.no_face), _percent(one.errors),
         _NONE if one.p95_ms is None else f"{one.p95_ms:,.0f}"]
        for one in found.arms
    ]  # fmt: skip


def finding_rows(found: ExperimentDecision) -> Rows:
    """Return a challenger a row: verdict and figures."""
    heads = ["challenger", "verdict", "difference", "interval", "p", "labels", "decision in"]
    metric = found.experiment.policy.metric
    return heads, [
        [one.version, one.verdict,
         "undefined" if one.difference is None else amount(one.difference, metric),
         interval(one.low, one.high, metric), _chance(one.p), f"{one.labels:,}", time_left(one)]
        for one in found.challengers
    ]  # fmt: skip


def guard_lines(one: ChallengerFinding, control: str) -> list[tuple[str, str]]:
    """Return each guard-rail of a challenger: its state, and what was found."""
    return [(rail.state, says(rail, control)) for rail in one.guard_rails]


def time_left(one: ChallengerFinding) -> str:
    """Return how long a decision takes yet, if the difference is what it seems."""
    if one.verdict != "cannot tell yet":
        return "decided"
    if one.labels_needed is None:
        return "unknown"
    if one.seconds_needed is None:
        return f"{one.labels_needed:,} labels"
    return f"{duration(one.seconds_needed)} ({one.labels_needed:,} labels)"


def label_lines(found: ExperimentDecision) -> list[str]:
    """Return what is known of the labels, in sentences."""
    labels = found.labels
    lines = [f"{labels.requests:,} requests have a label that counts, {labels.a_day:,.1f} a day"]
    if labels.coverage is not None:
        lines.append(f"that is {labels.coverage:.2%} of the requests")
    if labels.delay_s is not None:
        lines.append(f"half of them came within {duration(labels.delay_s)}")
    return lines


def split_lines(found: ExperimentDecision) -> list[str]:
    """Return whether the split is as meant, in sentences."""
    split = found.split
    if split.p_requests is None or split.p_labels is None:
        return ["every request is scored by all: nothing is split"]
    both = {"requests": split.p_requests, "labels": split.p_labels}
    return [
        f"{name}: {'split otherwise than meant' if p < split.level else 'as meant'}"
        f" (p {_chance(p)}, at any time; off below {split.level:g})"
        for name, p in both.items()
    ]


def _share(found: ExperimentDecision, one: ArmFigures) -> str:
    shadow = found.experiment.mode == "shadow" and one.version != found.experiment.control
    return "shadow" if shadow else share_of(one.share)


def _answered(one: ArmFigures) -> str:
    return _NONE if one.answered is None else f"{one.answered:,}"


def _value(value: float | None, correct: bool) -> str:
    if value is None:
        return "undefined"
    return f"{value:.1%}" if correct else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2%}"


def _chance(p: float) -> str:
    if p < _LEAST_P:
        return f"<{_LEAST_P:.0e}"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
