"""Expressions of PromQL, as text."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.utils import floatToGoString

SERVICE = "deepfake_lightning"  # label of every alert: names such as errors are others', too
# Of a two-sided 95 % interval: z, z^2 - 1, z^2 - 2, z^2.
_Z, _Z2_1, _Z2_2, _Z2 = "1.96", "2.8416", "1.8416", "3.8416"


def duration(minutes: float) -> str:
    """Return a time as Prometheus has it: ``10m``, ``90s``."""
    seconds = round(60 * minutes)
    return f"{seconds}s" if seconds % 60 or not seconds else f"{seconds // 60}m"


def number(value: float) -> str:
    """Return a number without needless digits."""
    return f"{value:.12g}"


def bucket(edge: float) -> str:
    """Return the label ``le`` that a histogram gives an edge."""
    return str(floatToGoString(edge))  # type: ignore[no-untyped-call]


def selected(metric: str, *conditions: str) -> str:
    """Return a metric with conditions on its labels; empty ones are left out."""
    inside = ",".join(one for one in conditions if one)
    return f"{metric}{{{inside}}}" if inside else metric


def one_of(label: str, values: Sequence[str] | None) -> str:
    """Return the condition that a label has one of some values; empty for any."""
    return "" if values is None else f'{label}=~"{"|".join(values)}"'


def increase(series: str, minutes: float, by: Sequence[str]) -> str:
    """Return by how much counters rose in the last minutes, added up by labels."""
    return f"sum by ({', '.join(by)}) (increase({series}[{duration(minutes)}]))"


def share_low(hits: str, of: str) -> str:
    """Return the lower end of the 95 % interval of a share.

    Wilson's score interval with continuity correction, which PromQL can say: Newcombe, Two-sided
    confidence intervals for the single proportion, Statistics in Medicine 17 (1998), method 4.
    It lies near that of Clopper & Pearson, which the policy's own rounds take. Both arguments are
    names of series.
    """
    root = f"sqrt({_Z2_2} - 1 / {of} + 4 * {hits} / {of} * ({of} - {hits} + 1))"
    return f"(2 * {hits} + {_Z2_1} - {_Z} * {root}) / (2 * ({of} + {_Z2}))"


def firing(rule: str) -> str:
    """Return the series that Prometheus writes of an alert that fires."""
    return f'ALERTS{{service="{SERVICE}",alertname="{rule}",alertstate="firing"}}'


def until_clear(broken: str, above_clear: str | None, rule: str, by: Sequence[str]) -> str:
    """Return an expression that holds where something is broken, and until it is clear again.

    Args:
        broken: when an alert begins.
        above_clear: what has to end before it ends; None where that is the same.
        rule: name of the alert.
        by: labels that tell one alert of it from another.
    """
    if above_clear is None:
        return broken
    held = f"({above_clear}) and on ({', '.join(by)}) {firing(rule)}"
    return f"({broken})\nor\n({held})"
