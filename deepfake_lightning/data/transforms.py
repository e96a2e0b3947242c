"""Training-time augmentation, seeded per sample, and the last step to a batch."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepfake_lightning.errors import UsageError
from deepfake_lightning.media import resize
from deepfake_lightning.media.degrading import jpeg
from deepfake_lightning.schemas import Preprocess

# Read when albumentations is imported: it would ask the network for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A


@dataclass(frozen=True)
class Augmentation:
    """Probability of each augmentation of a training picture, in [0, 1].

    All but ``flip``, ``shift`` and ``cutout`` imitate what platforms do to pictures, so that
    the network does not learn compression for forgery.

    Args:
        flip: mirror left and right.
        shift: move by up to 4 %, scale by up to 10 %, turn by up to 8 degrees.
        jpeg: compress again, quality 50 to 100.
        blur: Gaussian, 3 to 5 pixels.
        downscale: shrink to 40-90 % and enlarge again.
        noise: Gaussian, standard deviation 1-5 % of the range.
        colour: brightness and contrast up to 20 %, hue and saturation a little.
        cutout: black out 1 to 3 rectangles of 8-25 % of the side.
    """

    flip: float = 0.5
    shift: float = 0.3
    jpeg: float = 0.3
    blur: float = 0.1
    downscale: float = 0.1
    noise: float = 0.1
    colour: float = 0.3
    cutout: float = 0.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UsageError(
                    f"data.augmentation.{name} is {value:g}", next_step="give a probability, 0 to 1"
                )


class TrainTransform:
    """Resize and augment a picture; the same seed gives the same result.

    albumentations' own ``Compose(seed=...)`` gives every worker the same stream and repeats it
    each epoch, so the state is set for each sample. Its ``set_random_seed`` gives each operation
    a generator of its own with the same seed: operations of the same probability would then be
    applied to the same pictures. Here they share one generator, and are independent.

    Args:
        preprocess: from picture to input.
        augmentation: the probability of each operation; None for no operations.
        crop_size: train on random squares of this side, pixels, cut from the input-sized picture.
    """

    def __init__(
        self,
        preprocess: Preprocess,
        augmentation: Augmentation | None,
        crop_size: int | None = None,
    ) -> None:
        self.preprocess = preprocess
        cropped = [A.RandomCrop(crop_size, crop_size)] if crop_size else []
        operations = _operations(augmentation) if augmentation else []
        self._compose = A.Compose([*cropped, *operations])

    def __call__(self, image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """Return uint8 [S, S, 3] of uint8 [H, W, 3]; S is ``crop_size`` or the input's size."""
        return np.asarray(self._made(seed, image=resize(image, self.preprocess))["image"], np.uint8)

    def masked(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the same of a picture of the input's size, and its mask, moved as the picture.

        Args:
            image: uint8 [H, W, 3].
            mask: uint8 [H, W].
            seed: as for a picture without a mask, which then is the same.
        """
        made = self._made(seed, image=image, mask=mask)
        return np.asarray(made["image"], np.uint8), np.ascontiguousarray(made["mask"])

    def _made(self, seed: int, **targets: NDArray[np.uint8]) -> dict[str, Any]:
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        made: dict[str, Any] = self._compose(**targets)
        return made


class _Jpeg(A.ImageCompression):  # type: ignore[misc]  # it has no types
    """Compression of an RGB picture.

    That of albumentations (2.0.8) hands it to OpenCV as it is, which takes red for blue: its traces
    are none that a JPEG file has.
    """

    def apply(self, img: NDArray[np.uint8], quality: int, **_: Any) -> NDArray[np.uint8]:
        return jpeg(img, quality)


def _operations(p: Augmentation) -> list[A.BasicTransform]:
    shift = {"translate_percent": (-0.04, 0.04), "scale": (0.9, 1.1), "rotate": (-8, 8)}
    return [
        A.HorizontalFlip(p=p.flip),
        A.Affine(**shift, border_mode=2, p=p.shift),  # 2: mirror, no black corners to learn
        A.RandomBrightnessContrast(0.2, 0.2, p=p.colour),
        A.HueSaturationValue(8, 15, 8, p=p.colour),
        A.Downscale(scale_range=(0.4, 0.9), p=p.downscale),
        A.GaussianBlur(blur_limit=(3, 5), p=p.blur),
        A.GaussNoise(std_range=(0.01, 0.05), p=p.noise),
        _Jpeg(quality_range=(50, 100), p=p.jpeg),
        A.CoarseDropout(
            num_holes_range=(1, 3),
            hole_height_range=(0.08, 0.25),
            hole_width_range=(0.08, 0.25),
            p=p.cutout,
        ),
    ]


def normalise_batch(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Return what the network takes of what the loader carries.

    Pictures travel as bytes, a quarter of the memory, and become numbers where the network is:
    on a GPU that costs nothing. The same as :func:`deepfake_lightning.media.normalise`.

    Args:
        images: uint8 [B, H, W, 3], RGB.
        preprocess: has the mean and std.

    Returns:
        float32 [B, 3, H, W], ``(pixel / 255 - mean) / std``, channels last in memory.
    """
    mean, std = (  # torch.tensor(..., device=...) would wait for all that the GPU has to do
        torch.tensor(values).to(images.device, non_blocking=True)
        for values in (preprocess.mean, preprocess.std)
    )
    return images.float().div_(255).sub_(mean).div_(std).permute(0, 3, 1, 2)
