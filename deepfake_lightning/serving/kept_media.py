"""Media of requests that are drawn for review, kept where the operator wants that."""

from __future__ import annotations

import logging
from pathlib import Path

from deepfake_lightning.monitoring.review.sampling import drawn, is_dealt
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.serving.answers import Exchange
from deepfake_lightning.serving.service import Service
from deepfake_lightning.serving.uploads import Upload

logger = logging.getLogger(__name__)


def keep_for_review(
    service: Service, exchange: Exchange, upload: Upload, found: Assessment
) -> None:
    """Hand an answered request's media on if the request is drawn, without waiting for a disk.

    The log draws the same ones: both ask the same function.

    Args:
        service: of this process; where its operator wants no media kept, none are.
        exchange: the request.
        upload: what was sent. It is left as it is.
        found: what was answered.
    """
    if not service.settings.keep_media:
        return
    dealt = is_dealt(exchange.experiment, exchange.environment)
    known = service.chances.of(found.status, found.score, calibrated=found.calibrated, dealt=dealt)
    if known is None or not drawn(exchange.request_id, known[0]):
        return
    try:
        service.keeper.put(exchange.request_id, _content(upload, exchange.request_id), upload.size)
    except OSError as error:
        logger.error("an upload cannot be kept for review (request %s): %s",
                     exchange.request_id, error.strerror)  # fmt: skip
        service.metrics.count_media_not_kept(1)


def _content(upload: Upload, request_id: str) -> bytes | Path:
    """Return what is the keeper's own: the upload's file goes when the request is done with."""
    if isinstance(upload.content, bytes):
        return upload.content
    second = upload.content.with_name(f"review-{request_id}")
    second.hardlink_to(upload.content)
    return second
