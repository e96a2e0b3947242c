"""Golden pictures: drawn faces that travel with a bundle, with the scores they must get.

Anyone who loads the bundle, anywhere, can see in a second whether it scores as it did where it was
built. They are drawn, so that nobody's face is passed on; their labels mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.data.demo.shoot import clips_of
from deepfake_lightning.media import FaceReader, Frame, resize, to_input
from deepfake_lightning.schemas import Preprocess

TOLERANCE = 0.01
"""How far a golden logit may be off elsewhere, from the file to the score: other processors round
otherwise, which can move a box by a pixel."""

_SEED = 20_240
_PEOPLE = ([0, 1], [2, 3])


@dataclass(frozen=True)
class GoldenPicture:
    """A drawn picture and what the network sees of it.

    Attributes:
        name: of its file in the bundle.
        png: the file.
        inputs: float32 [F, 3, S, S]; F faces, none where none is found.
    """

    name: str
    png: bytes
    inputs: NDArray[np.float32]


def draw_golden(preprocess: Preprocess) -> list[GoldenPicture]:
    """Draw golden pictures: frames, or crops for a network that is shown crops."""
    frames = [
        (f"golden/{number}_{'drawn' if clip.label == 0 else 'forged'}.png", clip.frames[0])
        for number, clip in enumerate(c for two in _PEOPLE for c in clips_of(two, 1, 1, _SEED))
    ]
    return [_picture(name, np.asarray(image, np.uint8), preprocess) for name, image in frames]


def _picture(name: str, image: NDArray[np.uint8], preprocess: Preprocess) -> GoldenPicture:
    if preprocess.input == "frame":
        seen = _faces(image, preprocess)
    elif preprocess.input == "whole":
        seen = [resize(image, preprocess)]
    else:
        image = (_faces(image, preprocess) or [resize(image, preprocess)])[0]
        seen = [image]
    png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    size = preprocess.size
    none = np.zeros((0, 3, size, size), np.float32)
    inputs = np.stack([to_input(face, preprocess) for face in seen]) if seen else none
    return GoldenPicture(name, png, inputs)


def _faces(image: NDArray[np.uint8], preprocess: Preprocess) -> list[NDArray[np.uint8]]:
    reader = FaceReader(preprocess)
    return [found.image for found in reader.faces([Frame(0, 0, image)])]


def golden_record(pictures: list[GoldenPicture], logits: NDArray[np.float32]) -> dict[str, Any]:
    """Return the content of ``golden.json``.

    Args:
        pictures: what was drawn.
        logits: float32, of all their inputs in order.
    """
    ends = np.cumsum([len(picture.inputs) for picture in pictures])
    parts = np.split(logits, ends[:-1])
    return {
        "schema": 1,
        "about": "drawn faces, CC0-1.0; that one is called forged says nothing of real forgeries",
        "tolerance": TOLERANCE,
        "pictures": [
            {
                "file": picture.name,
                "faces": len(part),
                "logit": round(float(part.max()), 6) if len(part) else None,
            }
            for picture, part in zip(pictures, parts, strict=True)
        ],
    }
