"""An opinion on a drawn request."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log.prediction_log import PredictionLog
from deepfake_lightning.monitoring.log.records import Label
from deepfake_lightning.monitoring.review.opinions import Opinion
from deepfake_lightning.monitoring.review.policy import ReviewPolicy
from deepfake_lightning.monitoring.review.queue import ReviewItem, find_item

MOST_NAME, MOST_NOTE = 100, 1000


def give_opinion(
    log: PredictionLog,
    request_id: str,
    *,
    label: Opinion,
    by: str,
    note: str | None = None,
    now_us: int,
    policy: ReviewPolicy | None = None,
    media: Path | None = None,
) -> ReviewItem:
    """Keep what a reviewer says of a request that was drawn; said again, it replaces what was.

    Args:
        log: the prediction log.
        request_id: of the request.
        label: 0 real, 1 fake, -1 cannot tell.
        by: the reviewer's name.
        note: how it is known.
        now_us: the time, microseconds since 1970, UTC.
        policy: says whether a second opinion is wanted; None: the default.
        media: folder of kept media; None: the item names none.

    Returns:
        The request as it stands then, in the state that it waits in now.

    Raises:
        UsageError: the request was not drawn or is erased, or a name, a note or a label that cannot
            be kept.
        StorageError: the log cannot be read or written.
    """
    name, said = by.strip(), note.strip() or None if note else None
    for fault in faults_of(label, name, said):
        raise UsageError(fault, next_step="correct it")
    known = find_item(log, request_id) is not None
    if not known or not log.label(
        Label(request_id, now_us, label, name, source="review", note=said)
    ):
        raise not_drawn(log, request_id)
    item = find_item(log, request_id, policy=policy, media=media)
    if item is None:
        raise not_drawn(log, request_id)
    return item


def faults_of(label: int, by: str, note: str | None) -> list[str]:
    """Return what is wrong with an opinion, nothing where it can be kept."""
    faults = []
    if label not in (0, 1, -1):
        faults.append(f"{label!r} is no label: there are real, fake and cannot tell")
    if not 0 < len(by) <= MOST_NAME or "\0" in by:
        faults.append(f"who says it is to be named, in 1 to {MOST_NAME} letters")
    if note and (len(note) > MOST_NOTE or "\0" in note):
        faults.append(f"the note is longer than {MOST_NOTE} letters, or no text")
    return faults


def not_drawn(log: PredictionLog, request_id: str) -> UsageError:
    """Return the error for an opinion on a request that nobody asked about."""
    if log.find(request_id) is None:
        return UsageError(
            f"{log.name} holds no request {request_id}",
            next_step="check the id; `deepfake-lightning feedback list` shows those that wait",
        )
    return UsageError(
        f"the request {request_id} was not drawn for review",
        why="figures are weighted by the chance that a request had to be drawn; one that was picked"
        " by hand had none",
        next_step="`deepfake-lightning feedback import FILE` takes what is known of any request",
    )
