"""What is asked of a version's server before it may serve: the limits."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_lightning.errors import UsageError

_COUNTS = ("requests", "concurrency", "known")
_TIMES = ("ready_seconds", "takeover_seconds", "back_seconds", "stop_seconds", "seconds")
_LIMITS = ("p95_ms", "slower", "memory_mb", "growth_mb", "tolerance")


@dataclass(frozen=True)
class IntegrationPlan:
    """How a version's server is tested, and what it has to keep.

    The defaults suit EfficientNet-B0 on two cores, with room; None leaves a limit out.

    Attributes:
        device: of the network, ``cpu`` or as ``serve`` takes it.
        requests: under load, to each version.
        concurrency: requests at a time.
        known: media of each folder of ``deployment/known`` that are sent, at most.
        ready_seconds: from the start of the server to its first answer.
        takeover_seconds: from the change of the environment's file to the first answer of a
            version that has not served yet: it is verified, opened and checked first.
        back_seconds: the same of one that has served before. Without load that is below 1; under
            load its answers wait as all others do.
        p95_ms: that 95 % of the requests take under load, at most.
        slower: times as long as the champion's that the median request may take. The median, since
            the 95th percentile of some hundred requests is no figure to compare with; and no
            closer, since other work on the machine moves even that by half.
        memory_mb: of all of the server's processes, each shared page counted once.
        growth_mb: by which that may grow between the first and the second half of the load.
        tolerance: how far a logit may be from that of the same detector in this process.
        stop_seconds: from SIGTERM to the end; requests under way are answered in it.
        seconds: that all of it may take; then the server is killed, and the tests have failed.

    Raises:
        UsageError: a figure is out of range.
    """

    device: str = "cpu"
    requests: int = 160
    concurrency: int = 4
    known: int = 20
    ready_seconds: float = 120.0
    takeover_seconds: float = 30.0
    back_seconds: float = 2.0
    p95_ms: float | None = 1000.0
    slower: float | None = 2.0
    memory_mb: float | None = 4000.0
    growth_mb: float | None = 100.0
    tolerance: float = 0.001
    stop_seconds: float = 45.0
    seconds: float = 600.0

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise _out_of_range(name, getattr(self, name), "1 or more")
        for name in _TIMES:
            if not getattr(self, name) > 0:
                raise _out_of_range(name, getattr(self, name), "seconds, more than 0")
        for name in _LIMITS:
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:
                raise _out_of_range(name, limit, "0 or more, or leave it out")
        if self.requests < 4 * self.concurrency:
            raise UsageError(
                f"{self.requests} requests are too few for {self.concurrency} at a time",
                why="the first of each client do not count, and percentiles need some that do",
                next_step=f"ask for {4 * self.concurrency} or more",
            )


def _out_of_range(name: str, value: object, allowed: str) -> UsageError:
    return UsageError(f"{name} of the integration tests is {value}", next_step=f"give {allowed}")
