"""What the integration tests found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deepfake_lightning.deployment.integration.plan import IntegrationPlan


@dataclass(frozen=True)
class IntegrationCheck:
    """One thing that was tested.

    Attributes:
        name: of it, for programs: ``ready``, ``golden``, ``latency``, ...
        passed: whether it is as it has to be.
        says: what was found, a sentence.
        value: what was measured; None where there is no figure.
        limit: what it may be, at most; None without a limit.
        unit: of both.
    """

    name: str
    passed: bool
    says: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Load:
    """How a version answered under load.

    Attributes:
        version: which.
        requests: that were answered and measured.
        p50_ms, p95_ms, p99_ms: of the times from sending to the whole answer, milliseconds.
    """

    version: str
    requests: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def load_of(version: str, milliseconds: Sequence[float]) -> Load:
    """Return the percentiles of one request's time or more, milliseconds."""
    p50, p95, p99 = (round(float(one), 1) for one in np.percentile(milliseconds, (50, 95, 99)))
    return Load(version, len(milliseconds), p50, p95, p99)


@dataclass(frozen=True)
class IntegrationReport:
    """The integration tests of a version.

    Attributes:
        candidate: that was tested.
        champion: that it was tested beside, None without one.
        checks: what was tested, in order.
        not_run: names of the checks that were not come to, as one before had failed.
        notes: what else should be known.
        loads: of the versions under load, the candidate's first.
        seconds: that all of it took.
        plan: the limits.
    """

    candidate: str
    champion: str | None
    checks: tuple[IntegrationCheck, ...]
    not_run: tuple[str, ...]
    notes: tuple[str, ...]
    loads: tuple[Load, ...]
    seconds: float
    plan: IntegrationPlan

    @property
    def passed(self) -> bool:
        """Whether all was tested, and all of it is as it has to be."""
        return not self.not_run and all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[IntegrationCheck, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {"schema": 1, "passed": self.passed, **asdict(self)}
