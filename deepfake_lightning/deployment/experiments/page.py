"""An experiment as one self-contained HTML page: verdicts first, then figures and method."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from deepfake_lightning.deployment.experiments.chart import difference_chart
from deepfake_lightning.deployment.experiments.decision import ChallengerFinding, ExperimentDecision
from deepfake_lightning.deployment.experiments.tables import (
    arm_rows,
    finding_rows,
    guard_lines,
    health_rows,
    label_lines,
    split_lines,
)
from deepfake_lightning.deployment.experiments.words import metric_name
from deepfake_lightning.pages import html_page, html_table

_KIND = {"better": "note", "worse": "error", "no difference that matters": "note",
         "cannot tell yet": "warning"}  # fmt: skip
_RAIL = {"broken": "error", "unclear": "warning"}


def experiment_page(found: ExperimentDecision) -> str:
    """Return the page: HTML with its style and drawings inside, and nothing fetched."""
    of = found.experiment
    names = " and ".join(of.challengers)
    how = "in the shadow of" if of.mode == "shadow" else "beside"
    facts = f"{found.state}"
    if found.started:
        facts += f" since {_day(found.started)}" if found.state == "runs" else (
            f": {_day(found.started)} to {_day(found.ended or found.judged)}")  # fmt: skip
    facts += f"; judged {_day(found.judged)} UTC. {of.reason}"
    body = [*_verdicts(found), *_figures(found), *_charts(found), *_health(found), *_labels(found),
            *_method(found)]  # fmt: skip
    about = f"{of.name}: {names} {how} {of.control} in {of.environment}"
    return html_page("Experiment", about, facts, body)


def _verdicts(found: ExperimentDecision) -> Iterable[str]:
    yield "<h2>Verdict</h2>"
    for alarm in found.alarms:
        yield _finding("error", "stop it", alarm)
    for one in found.challengers:
        yield _finding(_KIND[one.verdict], one.verdict, one.says)
    if found.missing:
        yield "<p>What is missing:</p><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in found.missing)
        yield "</ul>"
    if found.outcome:
        yield f"<p>It ended by {escape(found.outcome)}</p>"
    yield f"<p>Next: <code>{escape(found.next_step)}</code></p>"


def _figures(found: ExperimentDecision) -> Iterable[str]:
    yield "<h2>Challengers against the control</h2>"
    yield html_table(*finding_rows(found), numbers=range(2, 6))
    yield (
        f'<p class="soft">Challenger less {escape(found.experiment.control)}, in'
        f" {escape(metric_name(found.experiment))}; above 0 the challenger is better. How long it"
        " takes yet is a guess: it supposes that the difference is what it seems now.</p>"
    )
    yield "<h2>Versions</h2>"
    yield html_table(*arm_rows(found), numbers=range(1, 7))
    if found.experiment.untried:
        untried = escape(", ".join(found.experiment.untried))
        yield f"<p>Taken though no gate let it in: {untried}</p>"


def _charts(found: ExperimentDecision) -> Iterable[str]:
    drawn = [one for one in found.challengers if one.path]
    if drawn:
        yield "<h2>As the labels came</h2>"
    for one in drawn:
        if len(found.challengers) > 1:
            yield f'<h3 style="font-size:1rem">{escape(one.version)}</h3>'
        yield difference_chart(one.path, found.experiment)
    if drawn:
        yield (
            '<p class="soft">The line is the estimate after each label, the band what all looks'
            " until then are sure of. Dashes mark the smallest difference that matters.</p>"
        )


def _health(found: ExperimentDecision) -> Iterable[str]:
    yield "<h2>Guard-rails</h2>"
    yield html_table(*health_rows(found), numbers=range(1, 5))
    for one in found.challengers:
        yield from _rails(one, found.experiment.control)
    if found.experiment.mode == "shadow":
        yield '<p class="soft">In the shadow a version answers nobody: there are none.</p>'


def _rails(one: ChallengerFinding, control: str) -> Iterable[str]:
    for state, line in guard_lines(one, control):
        kind = _RAIL.get(state)
        text = f"{one.version}: {line}"
        yield _finding(kind, state, text) if kind else f'<p class="soft">{escape(text)}</p>'


def _labels(found: ExperimentDecision) -> Iterable[str]:
    yield "<h2>Labels and split</h2><ul>"
    for line in (*label_lines(found), *split_lines(found)):
        yield f"<li>{escape(line)}</li>"
    yield "</ul>"


def _method(found: ExperimentDecision) -> Iterable[str]:
    policy, number = found.experiment.policy, len(found.challengers)
    yield "<h2>Method</h2>"
    for paragraph in METHOD:
        yield f'<p class="soft">{escape(paragraph)}</p>'
    rules = f"alpha {policy.alpha:g}, {number} challenger{'s' if number > 1 else ''}, tau"
    rules += f" {policy.tau:g}, a difference matters from {policy.margin:g} on; labels of"
    rules += f" {' and '.join(policy.sources)}; undecided verdicts are worth {policy.undecided:g}."
    yield f'<p class="soft">{escape(rules)}</p>'


METHOD = (
    "It may be looked at at any time, and stopped at any time: p-values and intervals are those of"
    " the mixture sequential probability ratio test (Johari, Pekelis & Walsh 2015), which hold at"
    " all looks together. They rest on the normal distribution of means, from the policy's least"
    " number of labels on. For several challengers they are corrected by Bonferroni's method.",
    "A request gives a version 1 where its verdict is right and 0 where it is wrong, or by the"
    " policy a probability's score. With classes counted the same, a version's value is the mean of"
    " what it gets on fakes and on reals: which of both are labelled more often changes nothing.",
    "Only labels of requests that were picked whatever the verdict was say which version is better."
    " Requests that one client sends are taken to be independent; where few clients send most of"
    " them under one X-Client-Key, intervals are too narrow.",
    "Whether requests and labels are split as meant is a sequential multinomial test (Lindon &"
    " Malek 2022). Guard-rails are those of a canary, broken where a version is worse by more than"
    " its limit and not by chance.",
)


def _finding(kind: str, head: str, text: str) -> str:
    return f'<div class="finding {kind}"><b>{escape(head)}</b><p>{escape(text)}</p></div>'


def _day(at: str) -> str:
    return at[:16].replace("T", " ")
