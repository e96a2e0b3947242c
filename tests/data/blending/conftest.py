"""A real face for blending."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def portrait() -> Callable[..., NDArray[np.uint8]]:
    """Return a function that gives the face of a public-domain portrait: ``portrait(96)``."""
    from skimage.data import astronaut

    face = astronaut()[20:190, 140:310]

    def scaled(height: int, width: int | None = None) -> NDArray[np.uint8]:
        size = (height if width is None else width, height)
        return np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.uint8)

    return scaled
