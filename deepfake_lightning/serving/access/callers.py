"""Who asks, what that one may do, and how often."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from deepfake_lightning.errors import UsageError

SCOPES = ("predict", "feedback", "metrics", "admin")
ADMIN = "admin"
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"([1-9][0-9]{0,5})/(second|minute|hour|day)")


@dataclass(frozen=True)
class Rate:
    """So many requests in any second, minute, hour or day.

    Attributes:
        amount: of requests, 1 or more.
        unit: ``second``, ``minute``, ``hour`` or ``day``.
    """

    amount: int
    unit: str

    def __str__(self) -> str:
        return f"{self.amount}/{self.unit}"

    @property
    def seconds(self) -> int:
        """How long the unit is."""
        return _SECONDS[self.unit]

    def share(self, processes: int) -> Rate:
        """Return what each of several processes may let through: all together no more than this.

        Where there are more processes than requests, each lets one through.
        """
        return Rate(max(1, math.floor(self.amount / processes)), self.unit)


def parse_rate(text: str) -> Rate:
    """Return the rate that ``600/minute`` says.

    Raises:
        UsageError: it says none.
    """
    found = _RATE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text[:40]!r} is no rate",
            next_step="pass 1 to 999999 requests a second, minute, hour or day, such as 600/minute",
        )
    return Rate(int(found[1]), found[2])


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: of the token; ``operator`` for the server's own, ``local`` without any.
        scopes: of :data:`SCOPES`; ``admin`` means all.
        rate: how often it may ask, None for what the server gives to all.
    """

    name: str
    scopes: frozenset[str]
    rate: Rate | None = None

    def may(self, scope: str) -> bool:
        """Return whether a scope is among the caller's."""
        return scope in self.scopes or ADMIN in self.scopes


OPERATOR = Caller("operator", frozenset(SCOPES))
LOCAL = Caller("local", frozenset(SCOPES))
