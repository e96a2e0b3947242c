"""Versions, and who serves: deployments, the canary, the A/B test."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.charts import experiment as charts
from deepfake_lightning.dashboard.deployments import Mark, canary_of, changes, entries, test_of
from deepfake_lightning.dashboard.pages.serving import serving
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import (
    Part,
    Tone,
    badge,
    card,
    chart,
    command,
    empty,
    table,
)
from deepfake_lightning.dashboard.words import NONE, ago, clock, ms, number, percent
from deepfake_lightning.deployment.canary import CanaryDecision
from deepfake_lightning.deployment.experiments import ExperimentDecision
from deepfake_lightning.deployment.experiments.decision import ChallengerFinding
from deepfake_lightning.registry.record import Entry
from deepfake_lightning.schemas.environment import EnvironmentRecord
from deepfake_lightning.schemas.measured import MeasuredValue

_MOST = 30
_EVENT_TONES: dict[str, Tone] = {"rollback": "bad", "force": "warn", "manual": "warn",
                                 "promote": "good", "deploy": "good"}  # fmt: skip
_VERDICT_TONES: dict[str, Tone] = {"better": "good", "worse": "bad"}
_RAIL_TONES: dict[str, Tone] = {"holds": "good", "unclear": "warn", "broken": "bad"}


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    record = source.serving(view.env)
    done = changes(source, view.env)
    return [
        serving(view, record, done),
        _canary(view, canary_of(source, view.env)),
        _test(view, test_of(source, view.env)),
        _history(done, source.clock()),
        _registry(entries(source), record),
    ]


def _canary(view: View, found: CanaryDecision | None) -> Component:
    if found is None:
        return card("Canary", empty(
            "There never was a canary here.", "A version can get the traffic step by step:",
            f"deepfake-lightning deploy VERSION --env {view.env} --canary true"))  # fmt: skip
    steps = [percent(one, 0) for one in found.state.policy.steps]
    ended = found.end is not None
    tone: Tone = {"rolled_back": "bad", "done": "good"}.get(found.end or "", "info")  # type: ignore[assignment]
    head = html.P(
        [badge("ended" if ended else "runs", tone),
         f" {found.state.candidate} beside {found.state.champion}, at {percent(found.share, 0)}, "
         f"step {found.step + 1} of {len(steps)} ({', '.join(steps)})"], className="row",
    )  # fmt: skip
    parts: list[Part] = [head, *(html.P(one) for one in found.reasons)]
    if found.judgement is not None and found.judgement.findings:
        rows = [
            [one.guard.replace("_", " "), badge(one.state, _RAIL_TONES.get(one.state, "plain")),
             number(one.candidate, 3), number(one.champion, 3), number(one.limit, 3)]
            for one in found.judgement.findings
        ]  # fmt: skip
        heads = ["guard-rail", "state", found.state.candidate, found.state.champion, "limit"]
        parts.append(table(heads, rows, caption="guard-rails", numbers={2, 3, 4}))
    if not ended:
        parts.append(command(f"deepfake-lightning canary watch --env {view.env}"))
    return card("Canary", *parts, size="wide" if found.judgement else "")


def _test(view: View, found: ExperimentDecision | None) -> Component:
    if found is None:
        return card("A/B test", empty(
            "There never was an A/B test here.", "Two versions can share the traffic:",
            f"deepfake-lightning abtest start VERSION --env {view.env} --share 0.2"))  # fmt: skip
    running = found.state == "runs"
    since = f" since {found.started[:16].replace('T', ' ')}" if found.started else ""
    head: list[Part] = [badge(found.state, "info" if running else "plain"),
                        f" {found.experiment.name}{since}"]  # fmt: skip
    parts: list[Part] = [html.P(head, className="row")]
    if found.outcome:
        parts.append(html.P(found.outcome))
    parts += [html.P(one, className="tone-bad edge") for one in found.alarms]
    rows = [
        [one.version, percent(one.share, 0), number(one.answered, 0), percent(one.errors, 2),
         ms(one.p95_ms), f"{one.fakes:,} / {one.reals:,}", number(one.value, 3)]
        for one in found.arms
    ]  # fmt: skip
    heads = ["version", "share", "requests", "errors", "p95", "fakes / reals", "value"]
    parts.append(table(heads, rows, caption="the versions of the A/B test",
                       numbers=set(range(1, 7))))  # fmt: skip
    for one in found.challengers:
        parts += _challenger(one, found)
    parts += [html.P(one, className="soft") for one in found.missing]
    parts.append(command(found.next_step))
    return card("A/B test", *parts, size="wide")


def _challenger(one: ChallengerFinding, found: ExperimentDecision) -> list[Part]:
    tone = _VERDICT_TONES.get(one.verdict, "plain")
    parts: list[Part] = [html.P([badge(one.verdict, tone), f" {one.version}: {one.says}"])]
    parts += [html.P(f"Held back: {why}", className="soft") for why in one.holds_back]
    if len(one.path) > 1:
        policy = found.experiment.policy
        figure = charts.difference(one.path, policy.margin, percent=policy.metric == "correct")
        says = f"{one.version} less {found.experiment.control} after each label: {one.says}"
        parts.append(chart(figure, says))
    return parts


def _history(done: list[Mark], now_us: int) -> Component:
    if not done:
        return card("Deployments", empty("Nothing was ever deployed here."), size="wide")
    rows = [
        [clock(one.at_us), badge(one.event, _EVENT_TONES.get(one.event, "info")), one.says, one.by,
         one.reason or NONE]
        for one in done[::-1][:_MOST]
    ]  # fmt: skip
    heads = ["when", "what", "serves since", "who", "why"]
    return card("Deployments", table(heads, rows, caption="deployments, the latest first"),
                note=f"The last one {ago(done[-1].at_us, now_us)}.", size="wide")  # fmt: skip


def _registry(found: list[Entry], record: EnvironmentRecord) -> Component:
    if not found:
        return card("Registry", empty(
            "No version is registered yet.", "A trained checkpoint becomes a version by",
            "deepfake-lightning registry register --ckpt_path CHECKPOINT"),
            size="wide")  # fmt: skip
    rows = [
        [one.version,
         badge("serves", "good") if one.version in record.versions else badge("does not serve"),
         one.registration.registered[:10], one.registration.by, one.backbone,
         _metric(one.metrics.get("balanced_accuracy")), _metric(one.metrics.get("auroc"))]
        for one in found[:_MOST]
    ]  # fmt: skip
    heads = ["version", "here", "registered", "by", "backbone", "balanced accuracy", "AUROC"]
    return card("Registry", table(heads, rows, caption="versions, the highest first"),
                note="Figures of the test split, with 95 % intervals.", size="wide")  # fmt: skip


def _metric(one: MeasuredValue | None) -> str:
    if one is None or one.value is None:
        return NONE
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
