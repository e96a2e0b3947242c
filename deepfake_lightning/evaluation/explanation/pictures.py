"""Heat maps as pictures: on their own, on the face, and with their scale."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.evaluation.explanation.record import ExplainedFace
from deepfake_lightning.media.overlay import sheet

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Okabe & Ito: told apart by colour-blind readers.
RAISES, LOWERS, NEITHER = (213, 94, 0), (0, 114, 178), (242, 242, 242)
SIDE = 192
"""Of a picture in a page, pixels."""
_STRENGTH = 0.75  # of the colour over a face, at the end of the scale


def heat_picture(heat: Floats, limit: float, side: int) -> Image:
    """Return a map [G, G] as it is, field by field: uint8 [side, side, 3], RGB.

    Args:
        heat: the map.
        limit: the end of the scale, either way; 0: nothing has a colour.
        side: of the picture, pixels.
    """
    value = cv2.resize(_scaled(heat, limit), (side, side), interpolation=cv2.INTER_NEAREST)
    return _mixed(np.full((side, side, 3), NEITHER, np.float32), value, 1.0)


def on_face(crop: Image, heat: Floats, limit: float) -> Image:
    """Return a map over the face in grey, smoothed as such maps are shown: like ``crop``."""
    grey = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    size = (crop.shape[1], crop.shape[0])
    value = cv2.resize(_scaled(heat, limit), size, interpolation=cv2.INTER_LINEAR)
    return _mixed(grey.astype(np.float32), value, _STRENGTH)


def _scaled(heat: Floats, limit: float) -> Floats:
    return np.asarray(heat / limit if limit > 0 else np.zeros_like(heat), np.float32)


def _mixed(ground: Floats, value: Floats, strength: float) -> Image:
    colour = np.where(value[..., None] > 0, _floats(RAISES), _floats(LOWERS))
    weight = strength * np.abs(value)[..., None]
    return np.asarray(np.round((1 - weight) * ground + weight * colour), np.uint8)


def _floats(colour: tuple[int, int, int]) -> Floats:
    return np.array(colour, np.float32)


def face_sheet(face: ExplainedFace, limit: float, title: str) -> bytes:
    """Return a JPEG of a face, its map, both, and the scale."""
    side = max(2 * SIDE, face.crop.shape[0])
    shown = cv2.resize(face.crop, (side, side), interpolation=cv2.INTER_CUBIC)
    pictures = [shown, heat_picture(face.heat, limit, side), on_face(shown, face.heat, limit)]
    faces = sheet(pictures, ["what the network was shown", "heat map", "both"], title, width=960)
    ramp = np.linspace(-1, 1, 320, dtype=np.float32)[None].repeat(6, axis=0)
    scale = _mixed(np.full((6, 320, 3), NEITHER, np.float32), ramp, 1.0)
    told = f"from -{limit:.2g} (lowers the score) to +{limit:.2g} (raises it), log-odds a field"
    return jpeg(np.concatenate([faces, sheet([scale], [told], "", width=960)]))


def png(image: Image) -> bytes:
    """Return a picture (uint8 [H, W, 3], RGB) as PNG."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


def jpeg(image: Image) -> bytes:
    """Return a picture (uint8 [H, W, 3], RGB) as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 90]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1])
