"""A real face, and the fake that is made of it and of nothing else."""

from __future__ import annotations

import os
import random
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.data.blending.face_place import FacePlace
from deepfake_lightning.data.blending.masks import (
    CHANCES,
    PAPER_SIDE,
    SHAPE_SIDE,
    SHAPES,
    Mask,
    draw_shape,
    soften,
)
from deepfake_lightning.media.degrading import jpeg

# Read when albumentations is imported: it would ask the network for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A

Picture = NDArray[np.uint8]
JPEG_QUALITY = (40, 100)
SMALLEST = 8
"""Pixels of the shorter side below which a picture has no room for a mask."""


class Pair(NamedTuple):
    """A real picture and its self-blended fake.

    Attributes:
        real: uint8 [H, W, 3], RGB.
        fake: uint8 [H, W, 3], as ``real`` wherever ``mask`` is 0.
        mask: float32 [H, W] in [0, 1], how much of the source the fake has; 0 at the border.
    """

    real: Picture
    fake: Picture
    mask: Mask


class SelfBlender:
    """Makes self-blended images (section 3 of arXiv 2204.08376), without face landmarks.

    Every thread needs one of its own. All that is random is drawn from the generator of a call:
    the same state of it gives the same pictures.

    Nothing but the blending tells a fake from a real picture: both are post-processed with the
    same draws, and half of the time the target and not the source is recoloured and resampled
    (section 3.2, "source-target generation"), so that these say nothing either. Pictures that are
    trained on beside the pairs have to go through :meth:`alone`, for the same reason.
    """

    def __init__(self) -> None:
        self._mismatch = A.Compose(_mismatch())
        self._deformation = A.Compose([_deformation()])
        self._movement = A.Compose([_movement()])
        self._post_processing = A.Compose(_post_processing())

    def pair(self, image: Picture, place: FacePlace, generator: np.random.Generator) -> Pair:
        """Return a real picture and its fake, both with the same post-processing.

        Args:
            image: uint8 [H, W, 3], RGB, a real face.
            place: where it is in the picture.
            generator: of all that is random.
        """
        made = self.blend(image, place, generator)
        real, fake = self._post_processed((made.real, made.fake), generator)
        return Pair(real, fake, made.mask)

    def alone(self, image: Picture, generator: np.random.Generator) -> Picture:
        """Return a picture that has no fake made of it, processed like the target of a pair."""
        if generator.random() < 0.5:
            image = self._mismatched(image, generator)
        return self._post_processed((image,), generator)[0]

    def blend(self, image: Picture, place: FacePlace, generator: np.random.Generator) -> Pair:
        """Return a pair before its post-processing: ``mask * source + (1 - mask) * target``.

        That is equation 1 of the paper; ``target`` is the pair's real picture.

        Args:
            image: uint8 [H, W, 3], RGB, a real face.
            place: where it is in the picture.
            generator: of all that is random.
        """
        size = image.shape[:2]
        if min(size) < SMALLEST:
            return Pair(image, image.copy(), np.zeros(size, np.float32))
        source, target = image, self._mismatched(image, generator)
        if generator.random() < 0.5:
            source, target = target, source
        shape = SHAPES[generator.choice(len(SHAPES), p=CHANCES)]
        mask = draw_shape(shape, place, generator)
        mask = _drawn(self._deformation, generator, image=mask)["image"]
        mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR)
        # What is laid over is resized and shifted, and its mask with it (section 3.2).
        moved = _drawn(self._movement, generator, image=source, mask=mask)
        mask = soften(np.clip(moved["mask"], 0, 1), generator)
        weight = mask[..., None]
        fake = weight * moved["image"] + (1 - weight) * target
        return Pair(target, np.rint(fake).astype(np.uint8), mask)

    def _mismatched(self, image: Picture, generator: np.random.Generator) -> Picture:
        if min(image.shape[:2]) < SMALLEST:
            return image
        return np.asarray(_drawn(self._mismatch, generator, image=image)["image"], np.uint8)

    def _post_processed(
        self, images: tuple[Picture, ...], generator: np.random.Generator
    ) -> list[Picture]:
        if min(images[0].shape[:2]) < SMALLEST:  # OpenCV takes 4 rows of one pixel for a scalar
            return list(images)
        seed = int(generator.integers(2**63))
        compressed = generator.random() < 0.5
        quality = int(generator.integers(*JPEG_QUALITY, endpoint=True))
        made = [
            _drawn(self._post_processing, np.random.default_rng(seed), image=image)["image"]
            for image in images
        ]
        return [jpeg(image, quality) if compressed else image for image in made]


def _drawn(compose: A.Compose, generator: np.random.Generator, **targets: Any) -> Any:
    """Return what operations make of their targets, with draws from a generator alone."""
    compose.set_random_state(generator, random.Random(int(generator.integers(2**63))))
    return compose(**targets)


def _mismatch() -> list[A.BasicTransform]:
    """Statistics that differ between source and target (section 3.2): colour, then frequency."""
    shrunk = [
        A.Downscale((scale, scale), {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_CUBIC})
        for scale in (1 / 2, 1 / 4)
    ]
    return [
        A.RGBShift(20, 20, 20, p=0.3),
        A.HueSaturationValue(2, 8, 8, p=1),
        A.RandomBrightnessContrast(0.1, 0.1, p=1),
        A.OneOf([A.OneOf(shrunk), A.Sharpen(alpha=(0.2, 0.5), lightness=(0.5, 1))], p=1),
    ]


def _movement() -> A.BasicTransform:
    """How the source is laid over the target: not quite where it was."""
    return A.Affine(
        scale=(0.95, 1 / 0.95),
        translate_percent={"x": (-0.03, 0.03), "y": (-0.015, 0.015)},
        border_mode=cv2.BORDER_REFLECT_101,
        mask_interpolation=cv2.INTER_LINEAR,
        p=1,
    )


def _deformation() -> A.BasicTransform:
    """How a hard-edged mask is deformed: alpha 50, sigma 7 in a picture of the paper's size.

    Noise that a Gaussian has smoothed is smaller by the width of it: alpha goes with the square
    of a mask's size.
    """
    scale = SHAPE_SIDE / PAPER_SIDE
    return A.ElasticTransform(
        alpha=50 * scale**2, sigma=7 * scale, noise_distribution="uniform", p=1
    )


def _post_processing() -> list[A.BasicTransform]:
    """What is done to pictures, real and fake (section 4.1), before some are made JPEGs.

    albumentations would compress RGB pictures as if they were BGR.
    """
    return [
        A.RGBShift(20, 20, 20, p=0.3),
        A.HueSaturationValue(4, 12, 15, p=0.3),
        A.RandomBrightnessContrast(0.3, 0.3, p=0.3),
    ]
