"""What is worth an alert, and who is told: rules and channels.

Measures, their units, and whose they are; more is worse in all of them:

- ``balanced_accuracy``: how far it is below the bundle's own figure on labels of requests that were
  drawn for review, weighted back to the traffic; a share (0.05: five points); of each version.
- ``latency_p95``: milliseconds; of each version.
- ``error_rate``: share of requests that ended with a 5xx but for 503; of each version.
- ``refusal_rate``: share of requests that ended with 503, for want of a place, of a result in time,
  or of a version; of the environment, as most have no version yet.
- ``drift``: the drift score, 0 to 1, of a version's latest window; has no limit, two windows in a
  row decide, or one where ``drift.yaml`` says so.
- ``no_traffic``: minutes since the last request, where there had been traffic; of the environment.
- ``log_stalled``: minutes for which what was answered is not in the log; of the log.
- ``disk``: share that is used, of each disk that workspace and log lie on.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deepfake_lightning.monitoring.alerts.channels import Channel, LogChannel
from deepfake_lightning.monitoring.alerts.records import Severity
from deepfake_lightning.schemas.calibration import MediaType

Measure = Literal[
    "balanced_accuracy", "latency_p95", "error_rate", "refusal_rate", "drift", "no_traffic",
    "log_stalled", "disk",
]  # fmt: skip
MEASURES: tuple[Measure, ...] = get_args(Measure)

_BY_MEDIA = MEASURES[:3]
_Minutes = Annotated[float, Field(ge=0, le=400 * 24 * 60, allow_inf_nan=False)]
_Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class AlertRule(BaseModel):
    """When something is worth an alert.

    A figure breaks its limit where its 95 % interval lies beyond it: with few requests or labels
    that takes more than just over the limit. Where only the figure itself is beyond, that may be
    chance: such an alert stays pending, and says so. With less than ``minimum`` to go by there is
    no figure, and nothing changes: an alert that fires goes on, and says that there are no data.

    Attributes:
        name: of the rule.
        measure: what is looked at; see the module's list.
        limit: what it may be at most; null for ``drift``.
        clear: at most this again before the alert ends; null is the limit.
        media: only this kind, of the first three measures; null is all. A balanced accuracy is
            then that of the worse kind, each beside the bundle's own.
        window_minutes: over which the figure is taken, up to now.
        minimum: requests, labels (their effective number) or items that it takes.
        for_minutes: how long the limit is broken before the alert fires.
        clear_minutes: how long it has to be well again before the alert ends.
        cooldown_minutes: after an alert's end in which the same one does not fire anew.
        remind_minutes: between two reminders of an alert that fires and that nobody has
            acknowledged; null sends none.
        severity: ``warning`` or ``critical``.
        environments: whose; null is all.
        channels: names of those that are told; null is all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    measure: Measure
    limit: _Figure | None = None
    clear: _Figure | None = None
    media: MediaType | None = None
    window_minutes: Annotated[_Minutes, Field(ge=1)] = 10
    minimum: Annotated[int, Field(ge=1)] = 1
    for_minutes: _Minutes = 0
    clear_minutes: _Minutes = 0
    cooldown_minutes: _Minutes = 30
    remind_minutes: Annotated[_Minutes, Field(ge=1)] | None = None
    severity: Severity = "warning"
    environments: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> AlertRule:
        if (self.limit is None) != (self.measure == "drift"):
            raise ValueError("drift has no limit, all other measures need one")
        if self.clear is not None and (self.limit is None or self.clear > self.limit):
            raise ValueError("clear has to be the limit or less, and drift has none")
        if self.media is not None and self.measure not in _BY_MEDIA:
            raise ValueError(f"{self.measure} is not kept by kind of media")
        return self


def _defaults() -> tuple[AlertRule, ...]:
    return (
        AlertRule(
            name="quality", measure="balanced_accuracy", limit=0.05, clear=0.03,
            window_minutes=10080, minimum=100, clear_minutes=60, cooldown_minutes=1440,
            remind_minutes=1440, severity="critical",
        ),
        AlertRule(
            name="image_latency", measure="latency_p95", limit=500, clear=450, media="image",
            window_minutes=5, minimum=50, for_minutes=5, clear_minutes=10, cooldown_minutes=30,
            remind_minutes=240,
        ),
        AlertRule(
            name="errors", measure="error_rate", limit=0.01, clear=0.008, window_minutes=10,
            minimum=100, for_minutes=5, clear_minutes=10, cooldown_minutes=30, remind_minutes=240,
            severity="critical",
        ),
        AlertRule(
            name="refusals", measure="refusal_rate", limit=0.05, clear=0.03, window_minutes=10,
            minimum=100, for_minutes=5, clear_minutes=10, cooldown_minutes=30, remind_minutes=240,
        ),
        AlertRule(
            name="drift", measure="drift", window_minutes=20160, cooldown_minutes=1440,
            remind_minutes=1440,
        ),
        AlertRule(
            name="no_traffic", measure="no_traffic", limit=15, window_minutes=60, minimum=60,
            cooldown_minutes=30, remind_minutes=240, severity="critical",
        ),
        AlertRule(
            name="log_stalled", measure="log_stalled", limit=5, window_minutes=15, for_minutes=2,
            clear_minutes=5, cooldown_minutes=30, remind_minutes=240, severity="critical",
        ),
        AlertRule(
            name="disk", measure="disk", limit=0.9, clear=0.88, for_minutes=5, clear_minutes=10,
            cooldown_minutes=60, remind_minutes=1440,
        ),
    )  # fmt: skip


class AlertPolicy(BaseModel):
    """All rules and channels of a workspace.

    Attributes:
        rules: what is looked for; each name once.
        channels: who is told; each name once. Without any, alerts are only shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[AlertRule, ...] = Field(default_factory=_defaults)
    channels: tuple[Channel, ...] = (LogChannel(name="log"),)

    @field_validator("rules", "channels")
    @classmethod
    def _named_once(cls, found: tuple[Any, ...]) -> tuple[Any, ...]:
        twice = [name for name, n in Counter(one.name for one in found).items() if n > 1]
        if twice:
            raise ValueError(f"{twice[0]} stands in it twice")
        return found

    def rule(self, name: str) -> AlertRule | None:
        """Return a rule by its name."""
        return next((one for one in self.rules if one.name == name), None)

    def told(self, rule: str) -> tuple[Channel, ...]:
        """Return the channels that are told of a rule's alerts; of an unknown rule's all."""
        found = self.rule(rule)
        names = found.channels if found else None
        return tuple(one for one in self.channels if names is None or one.name in names)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, as in the file."""
        return self.model_dump(mode="json")
