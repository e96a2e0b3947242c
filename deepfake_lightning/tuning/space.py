"""The search space: configuration keys, and the values that are tried for each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str | None
_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Range(BaseModel):
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low, high: whole numbers are searched where both are, and the base's own value is.
        log: search the orders of magnitude evenly.
        step: only every so many from ``low`` on.
    """

    model_config = _STRICT

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range starts above 0, not at {self.low:g}")
        if self.log and self.step is not None:
            raise ValueError("a range is logarithmic or has a step, not both")
        return self

    def distribution(self, base: Any) -> BaseDistribution:
        """Return Optuna's; ``base`` is the value of the base configuration."""
        numbers = [self.low, self.high, *([] if self.step is None else [self.step])]
        if all(isinstance(n, int) for n in numbers) and not isinstance(base, float):
            whole = 1 if self.step is None else int(self.step)
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=whole)
        step = None if self.step is None else float(self.step)
        return FloatDistribution(float(self.low), float(self.high), log=self.log, step=step)

    @property
    def examples(self) -> tuple[Value, ...]:
        """The values that the parser of ``fit`` has to take."""
        return (self.low, self.high)


class Choices(BaseModel):
    """One of several values.

    Attributes:
        choices: plain values (numbers, words, true, false, null), each once.
    """

    model_config = _STRICT

    choices: tuple[Value, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({(type(one), one) for one in self.choices}) < len(self.choices):
            raise ValueError("a choice stands there twice")
        return self

    def distribution(self, base: Any) -> BaseDistribution:
        """Return Optuna's."""
        return CategoricalDistribution(self.choices)

    @property
    def examples(self) -> tuple[Value, ...]:
        """The values that the parser of ``fit`` has to take."""
        return self.choices


Dimension = Range | Choices
Space = Mapping[str, Dimension]


def distributions(space: Space, settings: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """Return Optuna's distributions by key.

    Args:
        space: the search space.
        settings: nested settings of the base.
    """
    return {key: one.distribution(setting(settings, key)) for key, one in space.items()}


def setting(settings: Mapping[str, Any], key: str) -> Any:
    """Return a nested setting by its dotted key; None where a part of the way is missing."""
    found: Any = settings
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def default_values(
    settings: Mapping[str, Any], within: Mapping[str, BaseDistribution]
) -> tuple[dict[str, Value], list[str]]:
    """Return the base's own values, and the keys whose value lies outside of the space.

    Args:
        settings: nested settings of the base.
        within: distributions by key.
    """
    values: dict[str, Value] = {}
    outside = []
    for key, one in within.items():
        value = setting(settings, key)
        if _lies_in(value, one):
            values[key] = float(value) if isinstance(one, FloatDistribution) else value
        else:
            outside.append(key)
    return values, outside


def _lies_in(value: Any, one: BaseDistribution) -> bool:
    if isinstance(one, CategoricalDistribution):
        return any(value == choice and type(value) is type(choice) for choice in one.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(one, IntDistribution):
        inside = one.low <= value <= one.high and value == int(value)
        return inside and (int(value) - one.low) % one.step == 0
    assert isinstance(one, FloatDistribution)
    if not one.low <= value <= one.high:
        return False
    steps = 0.0 if one.step is None else (value - one.low) / one.step
    return abs(steps - round(steps)) < 1e-8


def flags(values: Mapping[str, Any]) -> list[str]:
    """Return values as flags of ``fit``."""
    return [f"--{key}={_text(value)}" for key, value in values.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys as the nested mapping of a configuration."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *way, name = key.split(".")
        place = tree
        for part in way:
            place = place.setdefault(part, {})
        place[name] = value
    return tree


def rounds(space: Space) -> Iterable[dict[str, Value]]:
    """Yield values for all keys at once, until each example of each key was there."""
    for place in range(max(len(one.examples) for one in space.values())):
        yield {key: one.examples[place % len(one.examples)] for key, one in space.items()}
