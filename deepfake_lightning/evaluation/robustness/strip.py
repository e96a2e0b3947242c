"""What the network is shown of one item under a degradation."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.errors import DegradationError, MediaError
from deepfake_lightning.evaluation.robustness.record import Face
from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.seeing import Look, Viewer
from deepfake_lightning.inference.worker import cropped
from deepfake_lightning.media import VIDEO_LIMITS
from deepfake_lightning.media.degradations import Degradation
from deepfake_lightning.media.degrading import jpeg_bytes

_QUALITY = 95
_AS_IT_IS = "as it is"


def example_face(
    engine: Engine, item: Item, how: Degradation | None, seed: tuple[int, ...], folder: Path
) -> Face:
    """Return the first face of an item, degraded or as it is, or why there is none.

    Args:
        engine: cuts it out.
        item: the item.
        how: a degradation that it can undergo; None: as it is.
        seed: of the item.
        folder: for files on the way; empty.
    """
    words, viewer = words_of(how), Viewer(engine.preprocess)
    source, look = item.pictures[0].path, Look()
    try:
        content = None
        if how is not None:
            content, look.alter = how.of(source, item.is_clip, seed, folder)
        if item.is_clip:
            seen = viewer.clip(content or source, look, VIDEO_LIMITS, False)
        else:
            seen = viewer.picture(source, look, cropped(engine, item))
        first = next(seen, None)
        return Face(words, None if first is None else jpeg_bytes(first.image, _QUALITY))
    except DegradationError:
        return Face(words, None, "could not be made")
    except MediaError:
        return Face(words, None, "unreadable")


def words_of(how: Degradation | None) -> str:
    """Return what stands below a face."""
    return _AS_IT_IS if how is None else how.words
