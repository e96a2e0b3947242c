"""Versions in the shadow: they score what another one answered, after the answer is sent."""

from __future__ import annotations

import logging

from starlette.background import BackgroundTask

from deepfake_lightning.monitoring.log import item_score
from deepfake_lightning.serving.answers import Refusal
from deepfake_lightning.serving.decoding import Media
from deepfake_lightning.serving.fleet.lineup import Lineup, Served
from deepfake_lightning.serving.scoring import Scored, score
from deepfake_lightning.serving.service import Service
from deepfake_lightning.serving.uploads import Upload

logger = logging.getLogger(__name__)


def shadow(
    service: Service,
    lineup: Lineup,
    request_id: str,
    upload: Upload,
    media: Media,
    served: Served,
    scored: Scored,
) -> BackgroundTask:
    """Return what is to be done once an answer is sent: all shadow versions score the media.

    What they find goes to the prediction log. They share decoders and network with requests.
    While there is no place for them they are left out and counted; the log then has no row of
    theirs.

    Args:
        service: of this process.
        lineup: who served the request.
        request_id: its id.
        upload: what was sent; it is closed when this is done.
        media: the same, as it was looked at.
        served: the version that answered.
        scored: what it found out.
    """

    async def run() -> None:
        try:
            with service.shadows.place():
                for one in lineup.shadow:
                    await _score(service, one, request_id, media, served, scored)
        except Refusal:
            service.metrics.count_shadows_skipped(len(lineup.shadow))
        finally:
            upload.close()

    return BackgroundTask(run)


async def _score(
    service: Service, one: Served, request_id: str, media: Media, served: Served, scored: Scored
) -> None:
    same = one.engine.preprocess == served.engine.preprocess
    seconds = service.settings.bounds.deadline
    try:
        found = await score(media, one, service.pool, seconds, scored.sighting if same else None)
    except Exception as error:  # the request has its answer
        logger.error("the shadow version %s failed (request %s): %s",
                     one.engine.version, request_id, error)  # fmt: skip
        service.metrics.count_shadows_skipped(1)
        return
    row = item_score(found.found, variant="shadow", projection=found.projection)
    service.writer.put_shadow(request_id, row)
    service.metrics.count_verdict(one.engine.version, "shadow", found.found.verdict)
