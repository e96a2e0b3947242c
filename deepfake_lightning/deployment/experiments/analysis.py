"""From an experiment's evidence to what it says. Pure: no log, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from deepfake_lightning.deployment.canary.guarding import Finding, findings
from deepfake_lightning.deployment.canary.minutes import Minutes
from deepfake_lightning.deployment.canary.policy import CanaryPolicy
from deepfake_lightning.deployment.experiments.decision import (
    ArmFigures,
    ChallengerFinding,
    ExperimentDecision,
    Labels,
    Point,
    SplitCheck,
    Verdict,
)
from deepfake_lightning.deployment.experiments.evidence import Evidence
from deepfake_lightning.deployment.experiments.experiment import Experiment, Run
from deepfake_lightning.deployment.experiments.gains import (
    Gains,
    gain_of,
    shadow_gains,
    split_gains,
)
from deepfake_lightning.deployment.experiments.words import (
    advice,
    held_back,
    missing_of,
    outcome_of,
    sentence,
)
from deepfake_lightning.metrics import (
    AnytimeTest,
    Looks,
    anytime_test,
    mixture_radius,
    observations_needed,
    sample_ratio_p,
)
from deepfake_lightning.monitoring.log.labelled import LabelledScore

_POINTS = 200  # of a path that are kept
_DAY_S = 86_400.0
_LATELY_S = 7 * _DAY_S


def analyse(
    experiment: Experiment, run: Run, evidence: Evidence, now: datetime
) -> ExperimentDecision:
    """Return what an experiment says.

    Each challenger is tested against the control. For several ones p-values are multiplied by their
    number, and intervals are as wide as that takes (Bonferroni). It asks of each p-value no more
    than that it is valid alone, at a time that may depend on the data, which these are (Johari et
    al. 2015, section 5); so would Holm's method, but its intervals would not say the same as its
    p-values.

    Args:
        experiment: what was set up.
        run: since when it runs.
        evidence: what the log has.
        now: the time.
    """
    arms = tuple(_arm(experiment, place, evidence) for place in range(len(experiment.arms)))
    labels = _labels(experiment, run, evidence, now)
    split = _split(experiment, arms, evidence)
    days = _seconds(run, now) / _DAY_S
    found = tuple(
        _challenger(experiment, version, evidence, labels, split, days)
        for version in experiment.challengers
    )
    return ExperimentDecision(
        experiment=experiment,
        state=run.state,
        started=_stamp(run.started),
        ended=_stamp(run.ended),
        judged=now.astimezone(UTC).isoformat(timespec="seconds"),
        outcome=outcome_of(run),
        arms=arms,
        challengers=found,
        split=split,
        labels=labels,
        missing=missing_of(experiment, run, arms, labels, days),
        next_step=advice(experiment, run, found, split),
    )


def _challenger(
    experiment: Experiment,
    version: str,
    evidence: Evidence,
    labels: Labels,
    split: SplitCheck,
    days: float,
) -> ChallengerFinding:
    policy, number = experiment.policy, len(experiment.challengers)
    gains_of = shadow_gains if experiment.mode == "shadow" else split_gains
    gains = gains_of(evidence.scores, experiment.control, version, policy)
    looks = gains.looks(policy)
    test = anytime_test(looks, tau=policy.tau, alpha=policy.alpha / number)
    rails = _guard_rails(experiment, (evidence.minutes or {}).get(version))
    verdict = _verdict(test, policy.margin)
    if split.off or days < policy.least_days:
        verdict = "cannot tell yet"
    more = _more_labels(gains, test, experiment) if verdict == "cannot tell yet" else None
    a_day = labels.a_day * _part(experiment, version)
    return ChallengerFinding(
        version=version,
        verdict=verdict,
        says=sentence(experiment, version, verdict, test, split, days),
        difference=test.difference,
        low=test.low,
        high=test.high,
        p=min(1.0, number * test.p),
        labels=len(gains.labels),
        same=int((gains.control == gains.challenger).sum()) if gains.paired else None,
        decided=None if test.decided_at is None else _moment(gains.label_us[test.decided_at]),
        labels_needed=more,
        seconds_needed=more * _DAY_S / a_day if more is not None and a_day else None,
        guard_rails=rails,
        holds_back=held_back(rails, split),
        path=_path(looks, gains, experiment),
    )


def _verdict(test: AnytimeTest, margin: float) -> Verdict:
    if test.low is None or test.high is None or test.contradicts:
        return "cannot tell yet"
    if -margin <= test.low and test.high <= margin:
        return "no difference that matters"
    if test.low > 0:
        return "better"
    return "worse" if test.high < 0 else "cannot tell yet"


def _more_labels(gains: Gains, test: AnytimeTest, experiment: Experiment) -> int | None:
    policy, count = experiment.policy, len(gains.labels)
    alpha = policy.alpha / len(experiment.challengers)
    needed = observations_needed(test, count, tau=policy.tau, alpha=alpha, margin=policy.margin)
    return None if needed is None else round(needed - count)


def _part(experiment: Experiment, version: str) -> float:
    """Return the share of the labels that tell of a challenger: its own and the control's."""
    if experiment.mode == "shadow":
        return 1.0
    return sum(one.share for one in experiment.arms if one.version in (version, experiment.control))


def _guard_rails(experiment: Experiment, minutes: Minutes | None) -> tuple[Finding, ...]:
    if minutes is None or not len(minutes.starts_us):
        return ()
    policy = experiment.policy
    chance = policy.false_alarms / len(experiment.challengers)
    limits = CanaryPolicy(false_alarms=chance, guard_rails=policy.guard_rails)
    return findings(minutes, minutes, limits)


def _path(looks: Looks, gains: Gains, experiment: Experiment) -> tuple[Point, ...]:
    policy = experiment.policy
    if not looks.at.size:
        return ()
    alpha = policy.alpha / len(experiment.challengers)
    radius = mixture_radius(looks.variance, policy.tau, alpha)
    low = np.maximum.accumulate(looks.difference - radius)
    high = np.minimum.accumulate(looks.difference + radius)
    places = np.unique(np.linspace(0, looks.at.size - 1, _POINTS).round().astype(int))
    return tuple(
        Point(
            int(gains.label_us[looks.at[place]]), int(looks.at[place]) + 1,
            float(looks.difference[place]), float(low[place]), float(high[place]),
        ) for place in places
    )  # fmt: skip


def _arm(experiment: Experiment, place: int, evidence: Evidence) -> ArmFigures:
    arm, policy = experiment.arms[place], experiment.policy
    shadow = experiment.mode == "shadow" and place > 0
    variant = "shadow" if shadow else "serving"
    mine = [o for o in evidence.scores if o.version == arm.version and o.variant == variant]
    gains = [[gain_of(o, policy) for o in mine if o.label == label] for label in (1, 0)]
    fakes, reals = (_mean(one) for one in gains)
    value = _mean(gains[0] + gains[1])
    if policy.balanced:
        value = None if fakes is None or reals is None else (fakes + reals) / 2
    totals = (evidence.totals or {}).get(arm.version)
    answered = totals.count("requests") if totals and not shadow else 0
    items = totals.count("items") if totals else 0
    p95 = totals.latency_quantile(0.95) if totals and answered else None
    unseen = totals.count("no_face") + totals.count("unreadable") if totals else 0
    return ArmFigures(
        version=arm.version,
        share=0.0 if shadow else 1.0 if experiment.mode == "shadow" else arm.share,
        requests=answered,
        items=items,
        no_face=unseen / items if items else None,
        errors=totals.count("status_5xx") / answered if totals and answered else None,
        p95_ms=p95 / 1000 if p95 is not None else None,
        fakes=len(gains[0]),
        reals=len(gains[1]),
        on_fakes=fakes,
        on_reals=reals,
        value=value,
    )


def _split(experiment: Experiment, arms: Sequence[ArmFigures], evidence: Evidence) -> SplitCheck:
    level = experiment.policy.sample_ratio_level
    if experiment.mode == "shadow":
        return SplitCheck(None, None, level)
    shares = [one.share for one in experiment.arms]
    requests = sample_ratio_p([one.requests for one in arms], shares)
    labelled = sample_ratio_p([one.fakes + one.reals for one in arms], shares)
    return SplitCheck(requests, labelled, level)


def _labels(experiment: Experiment, run: Run, evidence: Evidence, now: datetime) -> Labels:
    answered = {o.request_id: o for o in evidence.scores if o.variant == "serving"}
    delays = [o.label_us - o.ts_us for o in answered.values()]
    seconds = min(_seconds(run, now), _LATELY_S)
    since_us = round(now.timestamp() * 1e6 - seconds * 1e6)
    lately = sum(one.label_us >= since_us for one in answered.values())
    return Labels(
        requests=len(answered),
        others=dict(evidence.others or {}),
        coverage=_coverage(experiment, evidence, list(answered.values())),
        delay_s=float(np.median(delays)) / 1e6 if delays else None,
        a_day=lately * _DAY_S / seconds if seconds > 0 else 0.0,
    )


def _coverage(
    experiment: Experiment, evidence: Evidence, answered: Sequence[LabelledScore]
) -> float | None:
    if evidence.window is None or not evidence.totals:
        return None
    start, end = evidence.window
    requests = sum(
        totals.count("requests") for version, totals in evidence.totals.items()
        if experiment.mode == "share" or version == experiment.control
    )  # fmt: skip
    inside = sum(start <= one.ts_us < end for one in answered)
    return inside / requests if requests else None


def _seconds(run: Run, now: datetime) -> float:
    return max(0.0, (now - run.started).total_seconds()) if run.started else 0.0


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(int(at_us) / 1e6, UTC).isoformat(timespec="seconds")
