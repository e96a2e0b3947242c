"""What reviewers say of a request, and what they agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from deepfake_lightning.monitoring.log.records import Label
from deepfake_lightning.monitoring.review.sampling import wants_second

Opinion = Literal[0, 1, -1]
State = Literal["waiting", "second", "disagreement", "done"]
STATES: tuple[State, ...] = ("waiting", "second", "disagreement", "done")
CANNOT_TELL: Opinion = -1


def opinions(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Return what each reviewer of a request says by now, in the order in which they said it.

    Args:
        labels: of one request, in any order. Those of other sources than ``review`` say nothing
            here: people complain about what looks wrong.

    Returns:
        The latest label of each reviewer; names that differ in case or spaces at their ends are
        one.
    """
    latest: dict[str, Label] = {}
    for one in sorted(labels, key=lambda label: (label.ts_us, label.id or 0)):
        if one.source == "review":
            latest.pop(reviewer := reviewer_of(one.by), None)
            latest[reviewer] = one
    return tuple(latest.values())


def reviewer_of(name: str) -> str:
    """Return what a reviewer is told from others by."""
    return name.strip().casefold()


def settled(labels: Sequence[Label]) -> Opinion | None:
    """Return what a request's reviewers agree on.

    One opinion counts; of several the one that more reviewers have than any other. "Cannot tell"
    is an opinion like the others.

    Args:
        labels: of one request, in any order (:func:`opinions`).

    Returns:
        0 real, 1 fake, -1 cannot tell; None where nobody has looked yet, or they disagree.
    """
    votes = Counter(one.label for one in opinions(labels)).most_common(2)
    if not votes or (len(votes) == 2 and votes[0][1] == votes[1][1]):
        return None
    return votes[0][0]


def state_of(request_id: str, labels: Sequence[Label], second_share: float) -> State:
    """Return what a drawn request waits for.

    Args:
        request_id: of the request.
        labels: of it, in any order.
        second_share: of the requests that two people look at, whether or not they agree.

    Returns:
        ``waiting`` for a first opinion, ``second`` for another one, ``disagreement`` for one that
        decides, or ``done``.
    """
    known = opinions(labels)
    if not known:
        return "waiting"
    if settled(known) is None:
        return "disagreement"
    if len(known) == 1 and wants_second(request_id, second_share):
        return "second"
    return "done"
