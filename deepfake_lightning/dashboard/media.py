"""Pictures and clips that are kept for reviewers: by the id of a request in the queue, no path."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from deepfake_lightning.dashboard.access.doors import MEDIA
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.monitoring import review
from deepfake_lightning.monitoring.review.media_files import HEAD_BYTES, suffix_of

TYPES = {
    "jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "bmp": "image/bmp",
    "mp4": "video/mp4", "mov": "video/mp4", "mkv": "video/webm",
}  # fmt: skip
"""What browsers show; what else was sent is told of, and not given out."""


def routes(source: Source) -> APIRouter:
    """Return what answers at ``/media/ID``."""
    router = APIRouter(include_in_schema=False)

    @router.get(f"{MEDIA}/{{request_id:path}}")
    async def media(request_id: str) -> Response:
        return await to_thread.run_sync(_file, source, request_id)

    return router


def _file(source: Source, request_id: str) -> Response:
    log = source.log()
    item = log and review.find_item(log, request_id, media=source.kept_media(log))
    if not item or item.media is None:
        raise HTTPException(404)
    media_type = type_of(item)
    if media_type is None:
        raise HTTPException(404)
    return FileResponse(
        item.media, media_type=media_type, content_disposition_type="inline",
        headers={"Cache-Control": "private, no-store"},
    )  # fmt: skip


def type_of(item: review.ReviewItem) -> str | None:
    """Return what is kept of a request by its first bytes; None where no browser shows it."""
    if item.media is None:
        return None
    try:
        with item.media.open("rb") as file:
            return TYPES.get(suffix_of(file.read(HEAD_BYTES)))
    except OSError:  # erased in between
        return None
