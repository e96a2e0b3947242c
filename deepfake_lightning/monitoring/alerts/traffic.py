"""Latency, errors and silence, from the roll-ups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import betaincinv

from deepfake_lightning.monitoring.alerts.policy import AlertRule
from deepfake_lightning.monitoring.alerts.situation import MINUTE_US, Finding, Measurement
from deepfake_lightning.monitoring.alerts.source import Source
from deepfake_lightning.monitoring.log.rollup_windows import Rollup, merged, read_rollups
from deepfake_lightning.monitoring.log.totals import LATENCY_EDGES, Totals
from deepfake_lightning.monitoring.windows import Scope, version_of
from deepfake_lightning.monitoring.windows.recent import last_request

_LOOKED_BACK_US = 7 * 24 * 60 * MINUTE_US
_SLOWEST = 0.05  # what is beyond the p95
_LEVEL = 0.95
_STRAY = 0.25  # of the usual number of requests; fewer do not end an outage


def finding_of(rule: AlertRule, value: float, *, certain: bool) -> Finding:
    """Return what a figure means to a rule.

    Args:
        rule: has a limit.
        value: the figure.
        certain: whether its 95 % interval lies beyond the limit, too.
    """
    assert rule.limit is not None
    if value > rule.limit:
        return "broken" if certain else "unclear"
    clear = rule.limit if rule.clear is None else rule.clear
    return "near" if value > clear else "well"


def share_low(hits: int, number: int) -> float:
    """Return the lower end of the 95 % interval of a share (Clopper & Pearson 1934)."""
    return float(betaincinv(hits, number - hits + 1, (1 - _LEVEL) / 2)) if hits else 0.0


def measure_errors(rule: AlertRule, source: Source) -> list[Measurement]:
    """Return the share of failed requests of each version."""
    found = []
    for version, totals in _by_version(rule, source):
        number, failed = totals.count("requests"), totals.count("status_5xx")
        if number < rule.minimum:
            found.append(_too_few(rule, source, version, number))
            continue
        share = failed / number
        certain = share_low(failed, number) > (rule.limit or 0.0)
        says = (f"{100 * share:.2f} % of the last {number:,} requests failed ({failed:,} with a "
                f"5xx), {_over(rule)}; at most {100 * (rule.limit or 0):g} % may")  # fmt: skip
        found.append(_measured(rule, source, version, share, certain, number, says))
    return found


def measure_refusals(rule: AlertRule, source: Source) -> list[Measurement]:
    """Return the share of requests that were refused for now, of the whole environment.

    Most are refused before they come to a version: what each version says would hide them.
    """
    start = source.now_us - round(rule.window_minutes * MINUTE_US)
    where = {"environment": source.environment, "variant": "serving"}
    totals = merged(read_rollups(source.log, start, source.now_us, where=where))
    number, refused = totals.count("requests"), totals.count("status_503")
    if number < rule.minimum:
        return [_too_few(rule, source, "", number)]
    share, limit = refused / number, rule.limit or 0.0
    says = (f"{100 * share:.2f} % of the last {number:,} requests were refused ({refused:,} with "
            f"503), {_over(rule)}; at most {100 * limit:g} % may")  # fmt: skip
    found = _measured(rule, source, "", share, share_low(refused, number) > limit, number, says)
    advice = (f"more than it can do, or too slow? deepfake-lightning monitor --env "
              f"{source.environment} --period 1h; serve with more --processes, or on more "
              "machines")  # fmt: skip
    return [replace(found, next_step=advice)]


def measure_latency(rule: AlertRule, source: Source) -> list[Measurement]:
    """Return the p95 of the latency of each version.

    It is above the limit for certain where the share of slower requests is above 5 % for certain.
    """
    limit_ms = rule.limit or 0.0
    edges = np.concatenate((LATENCY_EDGES[:1], LATENCY_EDGES, LATENCY_EDGES[-1:])).astype(float)
    slow = np.sqrt(edges[:-1] * edges[1:]) > 1000 * limit_ms  # as Totals.latency_quantile has it
    found = []
    for version, totals in _by_version(rule, source):
        number, p95 = totals.count("requests"), totals.latency_quantile(1 - _SLOWEST)
        if number < rule.minimum or p95 is None:
            found.append(_too_few(rule, source, version, number))
            continue
        certain = share_low(int(totals.latency[slow].sum()), number) > _SLOWEST
        what = f"{rule.media} requests" if rule.media else "requests"
        says = (f"p95 of the latency is {p95 / 1000:,.0f} ms over the last {number:,} {what}, "
                f"{_over(rule)}; at most {limit_ms:g} ms")  # fmt: skip
        found.append(_measured(rule, source, version, p95 / 1000, certain, number, says))
    return found


def measure_silence(rule: AlertRule, source: Source) -> list[Measurement]:
    """Return how long there was no request, where there had been ``minimum`` of them in the
    ``window_minutes`` before.

    Once that is an alert, what was before is what was before it began, and a stray request is no
    end: it takes a quarter of ``minimum``, in proportion, in ``limit`` minutes.
    """
    finding: Finding
    scope, now = Scope(environment=source.environment), source.now_us
    last = last_request(source.log, scope, before_us=now + 1)
    if last is None or now - last > _LOOKED_BACK_US or source.behind:
        return []
    limit, minutes = rule.limit or 0.0, max(0.0, (now - last) / MINUTE_US)
    begun = next((one for one in source.alerts
                  if one.key == (rule.name, source.environment)), None)  # fmt: skip
    quiet = begun and last_request(source.log, scope, before_us=begun.since_us)
    number = _requests(source, rule.window_minutes, quiet or last)
    finding, says = "well", "requests come in again"
    if minutes > limit:
        # Where it was quiet before, too, that says nothing.
        finding = "broken" if number >= rule.minimum else "unknown"
        says = (f"no request for {minutes:.0f} minutes; in the {rule.window_minutes:g} minutes "
                f"before there were {number:,}")  # fmt: skip
    elif begun is not None:
        few = _requests(source, limit, now)
        if few < _STRAY * rule.minimum * limit / rule.window_minutes:
            finding = "unclear"
            says = (f"{few:,} requests in the last {limit:g} minutes, {number:,} in the "
                    f"{rule.window_minutes:g} minutes before that began")  # fmt: skip
    return [Measurement(
        rule.name, source.environment, finding, minutes, rule.limit, number, says,
        f"is the server up? curl its /readyz; deepfake-lightning serve --env {source.environment}",
        source.environment,
    )]  # fmt: skip


def _requests(source: Source, minutes: float, end_us: int) -> int:
    start_us = end_us - round(minutes * MINUTE_US)
    where = {"environment": source.environment}
    return merged(read_rollups(source.log, start_us, end_us + 1, where=where)).count("requests")


def subject_of(source: Source, version: str) -> str:
    """Return what an alert about a version is about; without one, the environment."""
    return f"{source.environment}/{version}" if version else source.environment


def _by_version(rule: AlertRule, source: Source) -> Sequence[tuple[str, Totals]]:
    start = source.now_us - round(rule.window_minutes * MINUTE_US)
    where = {"environment": source.environment, "variant": "serving"}
    if rule.media is not None:
        where["media_type"] = rule.media
    parts: dict[str, list[Rollup]] = defaultdict(list)
    for version in source.serving or ():
        parts[version] = []
    for one in read_rollups(source.log, start, source.now_us, by=("version",), where=where):
        version = version_of(one.key)
        if not version or source.serving is None or version in source.serving:
            parts[version].append(one)
    return [(version, merged(parts[version])) for version in sorted(parts)]


def _measured(
    rule: AlertRule, source: Source, version: str, value: float, certain: bool, n: int, says: str
) -> Measurement:
    finding = finding_of(rule, value, certain=certain)
    if finding == "unclear":
        says += "; with so few requests this may be chance"
    return Measurement(
        rule.name, subject_of(source, version), finding, value, rule.limit, n, says,
        f"deepfake-lightning monitor --env {source.environment} --period 1h; to go back: "
        f"deepfake-lightning rollback --env {source.environment} --reason ...",
        source.environment,
    )  # fmt: skip


def _too_few(rule: AlertRule, source: Source, version: str, number: int) -> Measurement:
    says = f"{number:,} requests {_over(rule)}, and it takes {rule.minimum:,}"
    return Measurement(rule.name, subject_of(source, version), "unknown", n=number, says=says,
                       limit=rule.limit, environment=source.environment)  # fmt: skip


def _over(rule: AlertRule) -> str:
    return f"in {rule.window_minutes:g} minutes"
