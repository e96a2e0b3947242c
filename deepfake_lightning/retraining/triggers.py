"""Whether a detector is to be trained again, and why: pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from deepfake_lightning.retraining.policy import Performance, RetrainPolicy

Kind = Literal["performance", "drift", "labels", "files", "schedule", "by_hand"]
Outcome = Literal["done", "refused", "failed"]

_DAY_US, _HOUR_US = 86_400_000_000, 3_600_000_000
_OF_COOL_DOWN = 0.9
"""That much keeps the schedule from a moment: a training that began some hours late, or a day of 23
hours, does not take the moment a week later away."""


@dataclass(frozen=True)
class Quality:
    """Balanced accuracy on audited labels, 0 to 1.

    Attributes:
        value, low, high: with its 95 % interval.
        labels: how many there were.
        reference: the version's own figure, None where it has none.
    """

    value: float
    low: float
    high: float
    labels: int
    reference: float | None = None


@dataclass(frozen=True)
class LastLoop:
    """The latest training that this program started.

    Attributes:
        finished_us: when it ended, microseconds since 1970, UTC.
        outcome: ``done``; ``refused`` by the gate; ``failed``: it can be done again.
    """

    finished_us: int
    outcome: Outcome


@dataclass(frozen=True)
class Observed:
    """What is known when it is decided.

    Attributes:
        now_us: the time, microseconds since 1970, UTC.
        version: that serves.
        since_us: from when on schedule and news count: the start of the latest training that did
            not fail, else when the version was registered.
        last: the latest training, None without one.
        quality: of the version that serves, None while there are no audited labels.
        drift: what has moved, in sentences, where two windows in a row say so.
        real, fake: new labels that may train.
        files: new ones that may train.
        by_hand: the reason of whoever asks for it; None where nobody does.
        sharing: versions of the environment where there are several: a canary or an A/B test is
            under way.
    """

    now_us: int
    version: str
    since_us: int
    last: LastLoop | None = None
    quality: Quality | None = None
    drift: tuple[str, ...] = ()
    real: int = 0
    fake: int = 0
    files: int = 0
    by_hand: str | None = None
    sharing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cause:
    """One cause, whether it holds or not.

    Attributes:
        kind: which.
        holds: whether it is one.
        says: why, or why not, with its figures.
    """

    kind: Kind
    holds: bool
    says: str


@dataclass(frozen=True)
class Trigger:
    """Whether to train.

    Attributes:
        fires: whether.
        causes: all that were looked at.
        waits: what keeps it from that although there is a cause; None where nothing does.
        next_us: the schedule's next moment that no cool-down takes away; None without one.
        observed: what it was decided on.
        policy: by which rules.
    """

    fires: bool
    causes: tuple[Cause, ...]
    waits: str | None
    next_us: int | None
    observed: Observed
    policy: RetrainPolicy

    @property
    def reason(self) -> str:
        """All causes that hold, as one text."""
        return "; ".join(cause.says for cause in self.causes if cause.holds)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "schema": 1,
            "fires": self.fires,
            "reason": self.reason,
            "causes": [asdict(cause) for cause in self.causes],
            "waits": self.waits,
            "next_us": self.next_us,
            "observed": asdict(self.observed),
            "policy": self.policy.to_dict(),
        }


def judge(policy: RetrainPolicy, observed: Observed) -> Trigger:
    """Decide whether a detector is trained again.

    A person's wish needs no other cause, and waits for no time. All others wait until the latest
    training is ``cool_down_days`` past: what it changed has to show first. Only the schedule keeps
    to its moments, and does not wait: those that come sooner than nine tenths of it after the
    beginning of the latest training pass. Where a version would go on from staging, all wait for
    the end of a canary or an A/B test.
    """
    causes = tuple(_causes(policy, observed))
    calendar = policy.calendar()
    waits = _taken(policy, observed)
    kinds = {cause.kind for cause in causes if cause.holds}
    if waits is None and "by_hand" not in kinds:
        waits = _cool_down(policy, observed, scheduled="schedule" in kinds)
    return Trigger(
        fires=bool(kinds) and waits is None,
        causes=causes,
        waits=waits if kinds else None,
        next_us=calendar.next(max(observed.now_us, _counts_from(policy, observed)))
        if calendar else None,
        observed=observed,
        policy=policy,
    )  # fmt: skip


def _causes(policy: RetrainPolicy, seen: Observed) -> Iterator[Cause]:
    if seen.by_hand is not None:
        yield Cause("by_hand", True, f"asked for by hand: {seen.by_hand}")
    if policy.performance is not None:
        yield _performance(policy.performance, seen)
    if policy.drift:
        moved = "; ".join(seen.drift)
        yield Cause("drift", bool(moved), moved or "no drift is confirmed")
    if policy.labels is not None:
        enough = min(seen.real, seen.fake) >= policy.labels
        yield Cause(
            "labels",
            enough,
            f"{seen.real:,} new labels of real and {seen.fake:,} of fake media "
            f"({policy.labels:,} of each are asked for)",
        )
    if policy.files is not None:
        holds = seen.files >= policy.files
        yield Cause("files", holds, f"{seen.files:,} new files ({policy.files:,} are asked for)")
    calendar = policy.calendar()
    if calendar is not None:
        due = calendar.due(_counts_from(policy, seen), seen.now_us)
        what = f"the schedule ({policy.schedule}, {policy.zone})"
        yield Cause("schedule", due, f"{what} is {'due' if due else 'not due yet'}")


def _performance(limits: Performance, seen: Observed) -> Cause:
    quality = seen.quality
    if quality is None or quality.labels < limits.labels:
        number = 0 if quality is None else quality.labels
        few = f"{number:,} audited labels are too few to tell ({limits.labels:,} are asked for)"
        return Cause("performance", False, few)
    floors = [] if limits.below is None else [limits.below]
    if limits.drop is not None and quality.reference is not None:
        floors.append(quality.reference - limits.drop)
    of = f"balanced accuracy on {quality.labels:,} audited labels is {quality.value:.1%} "
    of += f"({quality.low:.1%} to {quality.high:.1%})"
    if not floors:
        return Cause("performance", False, f"{of}; there is nothing to hold it against")
    floor = max(floors)
    # The whole interval: a training on what chance did costs more than some days' wait.
    holds = quality.high < floor
    return Cause("performance", holds, f"{of}; the least is {floor:.1%}")


def _taken(policy: RetrainPolicy, observed: Observed) -> str | None:
    if policy.goal == "staging" or len(observed.sharing) < 2:
        return None
    names = " and ".join(observed.sharing)
    return f"{names} share the traffic: a canary or an A/B test is under way"


def _counts_from(policy: RetrainPolicy, seen: Observed) -> int:
    """Return after which time moments of the schedule count."""
    if seen.last is None or seen.last.outcome == "failed":
        return seen.since_us
    return seen.since_us + round(_OF_COOL_DOWN * policy.cool_down_days * _DAY_US)


def _cool_down(policy: RetrainPolicy, seen: Observed, *, scheduled: bool) -> str | None:
    if seen.last is None:
        return None
    failed = seen.last.outcome == "failed"
    if scheduled and not failed:
        return None
    wait = policy.retry_hours * _HOUR_US if failed else policy.cool_down_days * _DAY_US
    left = seen.last.finished_us + wait - seen.now_us
    if left <= 0:
        return None
    hours = left / _HOUR_US
    soon = f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
    what = "failed" if failed else "ended"
    return f"the latest training {what} a short while ago: wait {soon} more, or ask for it by hand"
