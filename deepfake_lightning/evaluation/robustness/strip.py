"""What the network is shown of one item under each degradation."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.errors import MediaError
from deepfake_lightning.evaluation.robustness.record import Face
from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.seeing import Look, Viewer
from deepfake_lightning.inference.worker import cropped
from deepfake_lightning.media import VIDEO_LIMITS
from deepfake_lightning.media.degradations import DEGRADATIONS, Degradation
from deepfake_lightning.media.degrading import jpeg_bytes

_QUALITY = 95


def example_faces(engine: Engine, item: Item, seed: tuple[int, ...]) -> Iterator[Face]:
    """Yield the first face of an item, clean and under each degradation that it can undergo."""
    viewer = Viewer(engine.preprocess)
    yield Face("as it is", _face(viewer, engine, item, None, seed))
    for how in DEGRADATIONS.values():
        if how.applies(item.is_clip):
            yield Face(how.words, _face(viewer, engine, item, how, seed))


def _face(
    viewer: Viewer, engine: Engine, item: Item, how: Degradation | None, seed: tuple[int, ...]
) -> bytes | None:
    source, look = item.pictures[0].path, Look()
    try:
        content, look.alter = (None, None) if how is None else how.of(source, item.is_clip, seed)
        if item.is_clip:
            seen = viewer.clip(content or source, look, VIDEO_LIMITS, False)
        else:
            seen = viewer.picture(source, look, cropped(engine, item))
        first = next(seen, None)
    except MediaError:
        return None
    return None if first is None else jpeg_bytes(first.image, _QUALITY)
