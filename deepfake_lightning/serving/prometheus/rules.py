"""The alert policy as Prometheus' rules: the same names, limits and least numbers of requests.

What the server counts is judged by Prometheus. Audited quality and drift are figures of the
prediction log: they are judged by rounds of `monitor`, and what those found is an alert here, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deepfake_lightning.monitoring.alerts.policy import AlertPolicy, AlertRule, Measure
from deepfake_lightning.serving.prometheus.promql import (
    bucket,
    duration,
    firing,
    increase,
    number,
    one_of,
    selected,
    share_low,
    until_clear,
)
from deepfake_lightning.serving.telemetry.metrics import PREDICTION_SECONDS

_PREDICTIONS, _SECONDS = "deepfake_predictions_total", "deepfake_prediction_seconds"
_BY_VERSION, _BY_PLACE = ("environment", "version"), ("environment",)
_BY_SERVER = ("job", "instance")
_STRAY = 0.25  # of the usual number of requests: fewer do not end an outage, as in the rounds
_SLOWEST = "0.05"
_UNJUDGED_MINUTES = 30
_FIRST_ROUND_MINUTES = 10  # that a new server's first round may take to come
UNJUDGED = "not_judged"


@dataclass(frozen=True)
class PrometheusRule:
    """A rule of the policy for Prometheus.

    Attributes:
        name, severity: of the alert.
        expr: when it is broken; empty where Prometheus cannot tell.
        summary, description, next_step: what, why, and what to do; Prometheus' templates.
        watched: where it is watched, and what is otherwise than in the policy, for people.
        records: names of series that are recorded for it, and their expressions.
        for_minutes, keep_minutes: how long it is broken before it fires, and well before it ends.
    """

    name: str
    severity: str
    expr: str
    summary: str
    description: str
    next_step: str
    watched: str
    records: dict[str, str] = field(default_factory=dict)
    for_minutes: float = 0
    keep_minutes: float = 0


@dataclass(frozen=True)
class _Parts:
    """What differs between measures; as of :class:`PrometheusRule`."""

    expr: str
    summary: str
    description: str
    next_step: str
    watched: str = "by Prometheus"
    records: dict[str, str] = field(default_factory=dict)
    lasts: bool = True  # whether the policy's for_minutes and clear_minutes are still to pass


def rules_of(policy: AlertPolicy) -> list[PrometheusRule]:
    """Return the rules of a policy for Prometheus, and one for when nobody judges the others."""
    found = [_rule(one) for one in policy.rules]
    judged = [one for one in policy.rules if _MAKERS[one.measure] is _judged]
    return [*found, _unjudged(judged)] if judged else found


def _rule(rule: AlertRule) -> PrometheusRule:
    parts = _MAKERS[rule.measure](rule)
    return PrometheusRule(
        rule.name, rule.severity, parts.expr, parts.summary, parts.description, parts.next_step,
        parts.watched, parts.records,
        for_minutes=rule.for_minutes if parts.lasts else 0,
        keep_minutes=rule.clear_minutes if parts.lasts else 0,
    )  # fmt: skip


def _series(rule: AlertRule, what: str) -> str:
    """Return a name for a recorded series: no rule's name has a colon."""
    return f"deepfake:{rule.name.replace('-', ':')}:{what}"


def _where(rule: AlertRule) -> tuple[str, str]:
    media = f'media="{rule.media}"' if rule.media else ""
    return one_of("environment", rule.environments), media


def _share(
    rule: AlertRule, hits: str, by: tuple[str, ...], records: dict[str, str], of: str
) -> str:
    """Return when a share is above a rule's limit for certain, and until it is clear again."""
    limit, value, enough = number(rule.limit or 0), f"{hits} / {of}", f"{of} >= {rule.minimum}"
    records[_series(rule, "share_low")] = share_low(hits, of)
    broken = f"{value} > {limit}\nand {_series(rule, 'share_low')} > {limit}\nand {enough}"
    clear = limit if rule.clear is None else number(rule.clear)
    return until_clear(broken, f"{value} > {clear} and {enough}", rule.name, by)


def _errors(rule: AlertRule) -> _Parts:
    return _failures(rule, _BY_VERSION, 'status=~"5..",status!="503"', "failed", _Words(
        "{{ $labels.environment }} {{ $labels.version }}: {{ $value | humanizePercentage }} of the "
        "requests fail",
        "of the requests ended with a 5xx that is not 503",
        "look into the server's log; deepfake-lightning monitor --env {{ $labels.environment }} "
        "--period 1h; to go back: deepfake-lightning rollback --env {{ $labels.environment }} "
        "--reason ...",
    ))  # fmt: skip


def _refusals(rule: AlertRule) -> _Parts:
    return _failures(rule, _BY_PLACE, 'status="503"', "refused", _Words(
        "{{ $labels.environment }}: {{ $value | humanizePercentage }} of the requests are refused",
        "of the requests ended with 503, for want of a place, of a result in time, or of a version",
        "more than it can do, or too slow? deepfake-lightning monitor --env "
        "{{ $labels.environment }} --period 1h; serve with more --processes, or on more machines",
    ))  # fmt: skip


@dataclass(frozen=True)
class _Words:
    summary: str
    what: str
    next_step: str


def _failures(
    rule: AlertRule, by: tuple[str, ...], status: str, name: str, words: _Words
) -> _Parts:
    of, hits = _series(rule, "requests"), _series(rule, name)
    records = {
        of: increase(selected(_PREDICTIONS, *_where(rule)), rule.window_minutes, by),
        hits: increase(selected(_PREDICTIONS, *_where(rule), status), rule.window_minutes, by),
    }
    expr = _share(rule, hits, by, records, of)
    description = (f"more than {100 * (rule.limit or 0):g} % {words.what}, in "
                   f"{rule.window_minutes:g} minutes with {rule.minimum:,} requests or more; not "
                   "by chance, at 95 % confidence")  # fmt: skip
    return _Parts(expr, words.summary, description, words.next_step, records=records)


def _latency(rule: AlertRule) -> _Parts:
    """Return when the p95 is above the limit: more than 5 % for certain are slower than it."""
    limit = (rule.limit or 0) / 1000
    edge = next((one for one in PREDICTION_SECONDS if one >= limit), None)
    if edge is None:
        return _Parts("", "", "", "", f"by `monitor` alone: Prometheus knows no latency above "
                      f"{PREDICTION_SECONDS[-1]:g} s")  # fmt: skip
    of, slow, p95 = (_series(rule, what) for what in ("requests", "slow", "p95_seconds"))
    where, minutes = _where(rule), rule.window_minutes
    quick = selected(f"{_SECONDS}_bucket", *where, f'le="{bucket(edge)}"')
    buckets = increase(selected(f"{_SECONDS}_bucket", *where), minutes, (*_BY_VERSION, "le"))
    records = {
        of: increase(selected(f"{_SECONDS}_count", *where), minutes, _BY_VERSION),
        slow: f"{of} - {increase(quick, minutes, _BY_VERSION)}",
        p95: f"histogram_quantile(0.95, {buckets})",
    }
    low = _series(rule, "slow_share_low")
    records[low] = share_low(slow, of)
    broken = (f"{p95} > {number(edge)}\nand {slow} / {of} > {_SLOWEST}\nand {low} > {_SLOWEST}\n"
              f"and {of} >= {rule.minimum}")  # fmt: skip
    clear = limit if rule.clear is None else rule.clear / 1000
    held = f"{p95} > {number(clear)} and {of} >= {rule.minimum}"
    kind = f"{rule.media} requests" if rule.media else "requests"
    watched = "by Prometheus"
    if edge != limit:
        watched += f", with the limit {1000 * edge:g} ms: {1000 * limit:g} is no edge of a bucket"
    return _Parts(
        until_clear(broken, held, rule.name, _BY_VERSION),
        "{{ $labels.environment }} {{ $labels.version }}: p95 of the latency is "
        "{{ $value | humanizeDuration }}",
        f"more than 5 % of the {kind} took longer than {1000 * edge:g} ms, in {minutes:g} minutes "
        f"with {rule.minimum:,} or more; not by chance, at 95 % confidence",
        "deepfake-lightning monitor --env {{ $labels.environment }} --period 1h shows which stage; "
        "to go back: deepfake-lightning rollback --env {{ $labels.environment }} --reason ...",
        watched, records,
    )  # fmt: skip


def _silence(rule: AlertRule) -> _Parts:
    """Return when nothing comes any more where there had been traffic.

    A server that is gone has no series: so this is what was, unless something is. What was before
    moves out of sight with time; an alert that fires goes on until something comes.
    """
    limit, window = rule.limit or 0, rule.window_minutes
    usual, recent = _series(rule, "usual_requests"), _series(rule, "recent_requests")
    series = selected(_PREDICTIONS, *_where(rule))
    stray = number(_STRAY * rule.minimum * limit / window)
    by = "on (environment)"
    expr = (f"({usual} offset {duration(limit)} >= {rule.minimum} unless {by} {recent} > 0)\nor\n"
            f"(max by (environment) ({firing(rule.name)}) unless {by} {recent} >= {stray}\n"
            f"  and {by} max_over_time({usual}[7d]) > 0)")  # fmt: skip
    records = {
        usual: increase(series, window, _BY_PLACE),
        recent: increase(series, max(limit, 1), _BY_PLACE),
    }
    return _Parts(
        expr,
        f"{{{{ $labels.environment }}}}: no request for {limit:g} minutes or more",
        f"in the {window:g} minutes before there were {rule.minimum:,} or more",
        "is the server up? curl its /readyz; deepfake-lightning serve --env "
        "{{ $labels.environment }}",
        records=records,
    )


def _log_stalled(rule: AlertRule) -> _Parts:
    by = ", ".join(_BY_SERVER)
    lost = increase("deepfake_log_rows_dropped_total", rule.window_minutes, _BY_SERVER)
    return _Parts(
        f"max by ({by}) (deepfake_log_away) > 0\nor\n{lost} > 0",
        "{{ $labels.instance }}: what is answered does not come into the prediction log",
        f"the log cannot be written, or requests of the last {rule.window_minutes:g} minutes are "
        "lost; requests are answered all the while",
        "deepfake-lightning log show; free space, end what locks it, or start the database",
        "by Prometheus; that what came is not added up yet is seen by `monitor` alone",
    )


def _disk(rule: AlertRule) -> _Parts:
    by = (*_BY_SERVER, "disk")
    used = f"max by ({', '.join(by)}) (deepfake_disk_used_ratio)"
    clear = None if rule.clear is None else f"{used} > {number(rule.clear)}"
    return _Parts(
        until_clear(f"{used} > {number(rule.limit or 0)}", clear, rule.name, by),
        "{{ $labels.instance }}: the disk of the {{ $labels.disk }} is "
        "{{ $value | humanizePercentage }} full",
        f"more than {100 * (rule.limit or 0):g} % is used; on a full disk nothing is logged",
        "deepfake-lightning log prune --days 90; or make room there",
    )


def _judged(rule: AlertRule) -> _Parts:
    """Return that a round of `monitor` has an alert of this rule: it passed the times there."""
    where = f'rule="{rule.name}"', one_of("environment", rule.environments)
    series = selected("deepfake_alert_firing", *where)
    what = {"drift": "inputs or scores have drifted from what it was measured on"}.get(
        rule.measure, "verdicts are worse on audited labels than when it was measured"
    )
    return _Parts(
        f"max by (environment, subject) ({series}) > 0",
        f"{{{{ $labels.subject }}}}: {what}",
        "judged from the prediction log by `deepfake-lightning monitor`",
        "deepfake-lightning alerts list; deepfake-lightning monitor --env "
        "{{ $labels.environment }} --period 7d --report week.html",
        "by rounds of `monitor`, whose alert is one here",
        lasts=False,
    )


def _unjudged(rules: list[AlertRule]) -> PrometheusRule:
    names = " and ".join(one.name for one in rules)
    at = "max by (environment) (deepfake_alerts_judged_timestamp_seconds)"
    return PrometheusRule(
        UNJUDGED, "warning", f"time() - {at} > {60 * _UNJUDGED_MINUTES}",
        "{{ $labels.environment }}: alerts have not been judged for half an hour, or never",
        f"{names} are judged from the prediction log, and nobody does it",
        "deepfake-lightning monitor --env {{ $labels.environment }}, or monitor --check true from "
        "cron",
        f"by Prometheus: not in the policy; {names} rest on it",
        for_minutes=_FIRST_ROUND_MINUTES,
    )  # fmt: skip


_MAKERS: dict[Measure, Callable[[AlertRule], _Parts]] = {
    "balanced_accuracy": _judged,
    "latency_p95": _latency,
    "error_rate": _errors,
    "refusal_rate": _refusals,
    "drift": _judged,
    "no_traffic": _silence,
    "log_stalled": _log_stalled,
    "disk": _disk,
}
