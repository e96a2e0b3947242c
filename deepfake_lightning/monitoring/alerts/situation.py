"""What was found in a round: a figure for each rule and subject, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MINUTE_US = 60_000_000

Finding = Literal["well", "near", "unclear", "broken", "unknown"]


@dataclass(frozen=True)
class Measurement:
    """What was found for a rule and one of its subjects.

    Attributes:
        rule, subject: which.
        finding: ``broken`` beyond the limit for certain, ``unclear`` beyond it and maybe by chance,
            ``near`` between the limit and ``clear``, ``well``, or ``unknown``: too few data.
        value, limit, n: as of an :class:`Alert`.
        says: one sentence.
        next_step: what to do.
        environment: whose; None for what all environments share.
    """

    rule: str
    subject: str
    finding: Finding
    value: float | None = None
    limit: float | None = None
    n: int | None = None
    says: str = ""
    next_step: str = ""
    environment: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Rule and subject."""
        return self.rule, self.subject


@dataclass(frozen=True)
class Situation:
    """All that was found in a round.

    Attributes:
        environment: that was looked at.
        measurements: one for each rule and subject.
        serving: the versions that answer there; None where that is not known.
        whole: whether the log told all that was asked: what is not among the measurements then is
            not there any more.
    """

    environment: str
    measurements: tuple[Measurement, ...]
    serving: frozenset[str] | None = None
    whole: bool = True
