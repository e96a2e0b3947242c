"""Pixels from files: decoding, checking, and the one way from a picture to a network's input.

Torch-free: training and serving use the same functions.
"""

import os

# Read by OpenCV when it is imported. The limit is a second fence behind the one in images.py,
# for formats whose headers that does not read; the log level keeps OpenCV from writing to the
# terminal about each damaged picture, which the callers name themselves.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")

from deepfake_lightning.media.images import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    inspect_image,
    read_image,
)
from deepfake_lightning.media.network_input import normalise, resize, to_input

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "inspect_image",
    "normalise",
    "read_image",
    "resize",
    "to_input",
]
