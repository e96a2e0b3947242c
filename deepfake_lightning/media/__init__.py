"""Pixels from files: decoding, checking, and the one way from a picture to a network's input.

Torch-free: training and serving use the same functions.
"""

import os

# Read by OpenCV when it is imported: a small file that claims to be 30000 x 30000
# must be refused before its pixels are allocated.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))

from deepfake_lightning.media.images import IMAGE_SUFFIXES, image_fault, read_image  # noqa: E402
from deepfake_lightning.media.network_input import normalise, resize, to_input  # noqa: E402

__all__ = ["IMAGE_SUFFIXES", "image_fault", "normalise", "read_image", "resize", "to_input"]
