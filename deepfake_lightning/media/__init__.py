"""Pixels from files: decoding, checking, and the one way from a picture to a network's input.

Torch-free: training and serving use the same functions.
"""

import os

# Read by OpenCV when it is imported. The limit is a second fence behind the one in images.py; the
# log level keeps OpenCV from writing to the terminal about each damaged picture, which the
# callers name themselves.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")

from deepfake_lightning.media.face_crops import crop_face, sharpness
from deepfake_lightning.media.face_detector import Face, FaceDetector
from deepfake_lightning.media.face_reader import FaceReader, FoundFace
from deepfake_lightning.media.face_tracks import FaceTracker
from deepfake_lightning.media.frame_choice import choose_frames
from deepfake_lightning.media.images import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    inspect_image,
    media_kind,
    read_image,
)
from deepfake_lightning.media.limits import VIDEO_LIMITS, Limits
from deepfake_lightning.media.network_input import normalise, resize, to_input
from deepfake_lightning.media.video import Frame, Video, open_video
from deepfake_lightning.media.video_inspection import inspect_video
from deepfake_lightning.media.video_survey import VideoInfo

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_LIMITS",
    "VIDEO_SUFFIXES",
    "Face",
    "FaceDetector",
    "FaceReader",
    "FaceTracker",
    "FoundFace",
    "Frame",
    "Limits",
    "Video",
    "VideoInfo",
    "choose_frames",
    "crop_face",
    "inspect_image",
    "inspect_video",
    "media_kind",
    "normalise",
    "open_video",
    "read_image",
    "resize",
    "sharpness",
    "to_input",
]
