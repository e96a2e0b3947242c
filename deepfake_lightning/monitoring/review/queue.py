"""What waits for reviewers: the requests that were drawn, and what has been said of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.records import Label
from deepfake_lightning.monitoring.log.tables import item_scores, labels, requests
from deepfake_lightning.monitoring.log.tables import review_queue as drawn
from deepfake_lightning.monitoring.review.media_files import media_in
from deepfake_lightning.monitoring.review.opinions import (
    STATES,
    State,
    opinions,
    reviewer_of,
    state_of,
)
from deepfake_lightning.monitoring.review.policy import ReviewPolicy
from deepfake_lightning.monitoring.review.sampling import wants_second

_AT_A_TIME, _PAGE = 200, 5000


@dataclass(frozen=True)
class ReviewItem:
    """A request that was drawn for review.

    Attributes:
        request_id, ts_us, environment, version: of the request; microseconds since 1970, UTC.
        verdict, score: of the version that answered, None without. Reviewers see them after they
            have answered: who knows what the detector says, says the same.
        media_type: ``image`` or ``video``.
        probability: with which it was drawn.
        stratum: that gave the probability.
        opinions: the latest one of each reviewer, in their order.
        state: what it waits for, ``waiting``, ``second``, ``disagreement``, or ``done``.
        media: the file that was sent, where it is kept (``serve --keep_media review``).
    """

    request_id: str
    ts_us: int
    environment: str | None
    version: str
    verdict: str | None
    score: float | None
    media_type: str | None
    probability: float
    stratum: str
    opinions: tuple[Label, ...]
    state: State
    media: Path | None


class Times(Protocol):
    """A time from its start up to, and without, its end; microseconds since 1970, UTC."""

    @property
    def start_us(self) -> int:
        """When it begins."""

    @property
    def end_us(self) -> int:
        """When it is over."""


def review_queue(
    log: LogDatabase,
    *,
    environment: str | None = None,
    state: State | None = None,
    limit: int = 50,
    reviewer: str | None = None,
    policy: ReviewPolicy | None = None,
    media: Path | None = None,
) -> list[ReviewItem]:
    """Return requests that were drawn for review, the newest first.

    Figures of the last hours need labels of the last hours, and where reviewers do not keep up it
    is the oldest that are left.

    Args:
        log: of which.
        environment: only requests to this one.
        state: only those that wait for this, or ``done``.
        limit: how many, at most.
        reviewer: leaves out what this one has judged already.
        policy: says which of them want a second opinion; None: the default.
        media: folder of kept media; None: no paths.

    Raises:
        StorageError: the log could not be read.
    """
    policy = policy or ReviewPolicy()
    wanted = [] if environment is None else [drawn.c.environment == environment]
    if state is not None:
        wanted.append(_said(state))
    if reviewer is not None:
        wanted.append(drawn.c.request_id.not_in(_judged_by(reviewer)))
    found: list[ReviewItem] = []
    files = media_in(media) if media is not None else {}
    with log.reading() as connection:
        for ids in _pages(connection, wanted):
            if state == "second":  # most are not, which their ids alone tell
                ids = [name for name in ids if wants_second(name, policy.second_opinion)]
            for item in _items(connection, ids, policy, files):
                known = {reviewer_of(one.by) for one in item.opinions}
                mine = reviewer is not None and reviewer_of(reviewer) in known
                if not mine and state in (None, item.state):
                    found.append(item)
                    if len(found) == limit:
                        return found
    return found


def find_item(
    log: LogDatabase,
    request_id: str,
    *,
    policy: ReviewPolicy | None = None,
    media: Path | None = None,
) -> ReviewItem | None:
    """Return one request of the queue; None where it is not in it.

    Raises:
        StorageError: the log could not be read.
    """
    files = media_in(media) if media is not None else {}
    with log.reading() as connection:
        return next(_items(connection, [request_id], policy or ReviewPolicy(), files), None)


def queue_counts(
    log: LogDatabase,
    period: Times | None = None,
    environment: str | None = None,
    *,
    policy: ReviewPolicy | None = None,
) -> dict[State, int]:
    """Return how many drawn requests are in each state.

    Args:
        log: of which.
        period: only requests that came in it.
        environment: only requests to this one.
        policy: says which of them want a second opinion; None: the default.

    Raises:
        StorageError: the log could not be read.
    """
    wanted = [] if environment is None else [drawn.c.environment == environment]
    if period is not None:
        wanted += [drawn.c.ts_us >= period.start_us, drawn.c.ts_us < period.end_us]
    share = (policy or ReviewPolicy()).second_opinion
    number = func.count()
    of_each = (
        select(labels.c.request_id, number)
        .join(drawn, drawn.c.request_id == labels.c.request_id)
        .where(labels.c.source == "review", *wanted)
        .group_by(labels.c.request_id)
    )
    with log.reading() as connection:
        total = connection.scalar(select(number).select_from(drawn).where(*wanted)) or 0
        judged = [(name, times) for name, times in connection.execute(of_each)]
        said = _reviews(connection, [name for name, times in judged if times > 1])
    # Of one opinion the id alone tells whether another is wanted; they are most of all.
    once = sum(times == 1 for _, times in judged)
    second = sum(times == 1 and wants_second(name, share) for name, times in judged)
    states = Counter(state_of(name, of_it, share) for name, of_it in said.items())
    counts: dict[State, int] = {state: states[state] for state in STATES}
    counts["waiting"] += total - len(judged)
    counts["second"] += second
    counts["done"] += once - second
    return counts


def states_of(
    log: LogDatabase, request_ids: Sequence[str], policy: ReviewPolicy | None = None
) -> dict[str, State]:
    """Return the states of requests, those of the queue among them.

    Args:
        log: of which.
        request_ids: some hundreds at most.
        policy: says which of them want a second opinion; None: the default.

    Raises:
        StorageError: the log could not be read.
    """
    share = (policy or ReviewPolicy()).second_opinion
    with log.reading() as connection:
        known = select(drawn.c.request_id).where(drawn.c.request_id.in_(request_ids))
        names = connection.scalars(known).all()
        said = _reviews(connection, names)
    return {name: state_of(name, said.get(name, ()), share) for name in names}


def _queue() -> Any:
    return select(*drawn.c, requests.c.verdict, item_scores.c.score).select_from(
        drawn.join(requests, requests.c.id == drawn.c.request_id).outerjoin(
            item_scores,
            and_(
                item_scores.c.request_id == drawn.c.request_id,
                item_scores.c.item == 0,
                item_scores.c.variant == "serving",
            ),
        )
    )


def _said(state: State) -> ColumnElement[bool]:
    """What has to be in the log for a state; the rest is told from the opinions themselves."""
    said = select(labels.c.request_id).where(labels.c.source == "review")
    if state == "waiting":
        return ~exists(said.where(labels.c.request_id == drawn.c.request_id))
    of_each = said.group_by(labels.c.request_id)
    if state == "disagreement":
        of_each = of_each.having(func.count(labels.c.label.distinct()) > 1)
    return drawn.c.request_id.in_(of_each)


def _judged_by(reviewer: str) -> Select[Any]:
    # Databases fold the case of fewer letters than Python does; who is left is told afterwards.
    name = func.lower(func.trim(labels.c.by)) == reviewer_of(reviewer)
    return select(labels.c.request_id).where(labels.c.source == "review", name)


def _pages(
    connection: Connection, wanted: Sequence[ColumnElement[bool]]
) -> Iterator[Sequence[str]]:
    """Yield ids, the newest first; the first page is a short one, as mostly no other is wanted."""
    time, name = drawn.c.ts_us, drawn.c.request_id
    number, beyond = _AT_A_TIME, list(wanted)
    while True:
        query = select(name, time).where(*beyond).order_by(time.desc(), name.desc()).limit(number)
        page = connection.execute(query).all()
        yield [row.request_id for row in page]
        if len(page) < number:
            return
        number, last = _PAGE, page[-1]
        earlier = or_(time < last.ts_us, name < last.request_id)
        beyond = [*wanted, time <= last.ts_us, earlier]


def _items(
    connection: Connection, ids: Sequence[str], policy: ReviewPolicy, files: Mapping[str, Path]
) -> Iterator[ReviewItem]:
    """Yield those of some requests that are in the queue, in the same order."""
    for start in range(0, len(ids), _AT_A_TIME):
        some = ids[start : start + _AT_A_TIME]
        query = _queue().where(drawn.c.request_id.in_(some))
        rows = {row.request_id: row._mapping for row in connection.execute(query)}
        said = _reviews(connection, some)
        for name in some:
            if name in rows:
                of_it = said.get(name, [])
                state = state_of(name, of_it, policy.second_opinion)
                yield ReviewItem(
                    **rows[name], opinions=opinions(of_it), state=state, media=files.get(name)
                )


def _reviews(connection: Connection, ids: Sequence[str]) -> dict[str, list[Label]]:
    found: dict[str, list[Label]] = defaultdict(list)
    for start in range(0, len(ids), _AT_A_TIME):
        some = labels.c.request_id.in_(ids[start : start + _AT_A_TIME])
        for row in connection.execute(select(labels).where(labels.c.source == "review", some)):
            found[row.request_id].append(Label(**row._mapping))
    return dict(found)
