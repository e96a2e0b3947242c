"""The file of rules that Prometheus reads."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import yaml

from deepfake_lightning.monitoring.alerts.policy import AlertPolicy
from deepfake_lightning.serving.prometheus.promql import SERVICE, duration
from deepfake_lightning.serving.prometheus.rules import PrometheusRule, rules_of

_WIDTH = 100
_ABOUT = """\
Alerts of deepfake-lightning for Prometheus (2.42 or newer: keep_firing_for), made of the alert
policy by `deepfake-lightning alerts rules`: make it anew when the policy changes.
configs/prometheus.yaml shows how it is loaded, and how /metrics is asked with a token.
Otherwise than in rounds of `monitor`: with too few requests an alert ends instead of going on, and
cooldown_minutes, remind_minutes and channels are Alertmanager's (repeat_interval, routes).
Where each rule is watched:"""


def rule_file(policy: AlertPolicy, sources: Sequence[str] = ()) -> str:
    """Return a policy as a file of Prometheus' rules, YAML.

    Args:
        policy: rules and channels; channels are left out.
        sources: where it stands, for the head.
    """
    rules = rules_of(policy)
    head = [*_ABOUT.splitlines(), *_watched(rules)]
    if sources:
        head.insert(2, f"The policy: {', '.join(sources)}.")
    comment = "".join(f"# {line}\n" for line in head)
    content = {"groups": [{"name": SERVICE, "rules": [one for rule in rules for one in _of(rule)]}]}
    return comment + yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True
    )


def _watched(rules: Sequence[PrometheusRule]) -> list[str]:
    return [
        line
        for rule in rules
        for line in textwrap.wrap(f"- {rule.name}: {rule.watched}", _WIDTH - 2,
                                  subsequent_indent="  ")
    ]  # fmt: skip


def _of(rule: PrometheusRule) -> list[dict[str, Any]]:
    if not rule.expr:
        return []
    records = [{"record": name, "expr": expr} for name, expr in rule.records.items()]
    alert: dict[str, Any] = {"alert": rule.name, "expr": rule.expr}
    if rule.for_minutes:
        alert["for"] = duration(rule.for_minutes)
    if rule.keep_minutes:
        alert["keep_firing_for"] = duration(rule.keep_minutes)
    alert["labels"] = {"service": SERVICE, "severity": rule.severity}
    alert["annotations"] = {
        "summary": rule.summary, "description": rule.description, "next_step": rule.next_step
    }  # fmt: skip
    return [*records, alert]


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as it is read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
