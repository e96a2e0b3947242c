"""Data sets that show real faces together with the fakes made of them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepfake_lightning.data.blending import FacePlace, SelfBlender
from deepfake_lightning.data.blending.face_place import face_places, place_of
from deepfake_lightning.data.clip_dataset import ClipDraws
from deepfake_lightning.data.dataset import FaceDataset
from deepfake_lightning.data.pair_sampler import PairDraw, Side
from deepfake_lightning.data.transforms import TrainTransform
from deepfake_lightning.media import read_image, resize
from deepfake_lightning.schemas import LABELS, Manifest, Preprocess

AUGMENTED = 16
"""How often a pair is augmented, at most, where a crop has nothing of the mask."""
Picture = NDArray[np.uint8]
Sample = dict[str, Tensor]


class Shown(NamedTuple):
    """A picture as the network sees it.

    Attributes:
        image: uint8 [C, C, 3], RGB; C is the side of what is trained on.
        mask: uint8 [C, C], 255 where all of it is the source's; 0 in real pictures.
    """

    image: Picture
    mask: Picture


class PairMaker:
    """From a picture to what a training is shown of it.

    Args:
        preprocess: from picture to input.
        augment: the training's own transform, the same for both sides of a pair; None for none.
    """

    def __init__(self, preprocess: Preprocess, augment: TrainTransform | None = None) -> None:
        self._preprocess = preprocess
        self._augment = augment
        self._blender = SelfBlender()

    def alone(self, image: Picture, seed: int) -> Shown:
        """Return a picture (uint8 [H, W, 3]) that has no fake made of it."""
        generator = np.random.default_rng(seed)
        made = self._blender.alone(resize(image, self._preprocess), generator)
        return self._augmented(made, np.zeros(made.shape[:2], np.uint8), generator)

    def pair(self, image: Picture, place: FacePlace, seed: int) -> dict[Side, Shown]:
        """Return both sides of the pair that a real picture (uint8 [H, W, 3]) makes.

        A crop without any of the mask, or with too faint a one, would be a real picture called
        fake: both sides are augmented again, up to ``AUGMENTED`` times.

        Args:
            image: the picture.
            place: of the face in it.
            seed: of all that is random.
        """
        generator = np.random.default_rng(seed)
        made = self._blender.pair(resize(image, self._preprocess), place, generator)
        mask = cv2.convertScaleAbs(made.mask, alpha=255)
        masks = {Side.REAL: np.zeros_like(mask), Side.FAKE: mask}
        for _ in range(AUGMENTED):
            after = int(generator.integers(2**31 - 1))
            shown = {
                side: self._augmented(picture, masks[side], np.random.default_rng(after))
                for side, picture in ((Side.FAKE, made.fake), (Side.REAL, made.real))
            }
            fake, real = shown[Side.FAKE], shown[Side.REAL]
            if fake.mask.any() and not np.array_equal(fake.image, real.image):
                break
        return shown

    def _augmented(self, image: Picture, mask: Picture, generator: np.random.Generator) -> Shown:
        if self._augment is None:
            return Shown(image, mask)
        return Shown(*self._augment.masked(image, mask, int(generator.integers(2**31 - 1))))


class BlendedFaces(FaceDataset):
    """The pictures of :class:`~deepfake_lightning.data.dataset.FaceDataset`, alone or in pairs.

    Args:
        manifest, rows, preprocess, augment: as there; the transform is the same for both sides.
        masks: whether samples have a ``mask``.
    """

    def __init__(
        self,
        manifest: Manifest,
        rows: NDArray[np.int64],
        preprocess: Preprocess,
        augment: TrainTransform | None = None,
        *,
        masks: bool = False,
    ) -> None:
        super().__init__(manifest, rows, preprocess, augment)
        self._places = face_places(manifest, rows, preprocess.margin)
        self._maker = PairMaker(preprocess, augment)
        self._masks = masks
        self._made: tuple[tuple[int, int], dict[Side, Shown]] | None = None

    def place(self, index: int) -> FacePlace:
        """Return where the face of a position is."""
        return place_of(self._places[index], self.preprocess.margin)

    def __getitem__(self, draw: int | PairDraw) -> Sample:  # type: ignore[override]
        """Return one sample, as :class:`~deepfake_lightning.data.dataset.FaceDataset` does.

        The sides of a pair follow each other in one batch, which one process reads: they are made
        together. ``mask`` is uint8 [S, S].

        Args:
            draw: what is shown; of a position, the picture alone.

        Raises:
            MediaError: the picture cannot be read.
        """
        index, seed, _, side = draw if isinstance(draw, tuple) else PairDraw(draw)
        if side is Side.ALONE:
            shown = self._maker.alone(read_image(self.path(index)), seed)
        else:
            if self._made is None or self._made[0] != (index, seed):
                pair = self._maker.pair(read_image(self.path(index)), self.place(index), seed)
                self._made = (index, seed), pair
            shown = self._made[1][side]
        return _labelled(self._sample(index, shown.image), shown, side, masks=self._masks)


class BlendedClips(ClipDraws):
    """The draws of :class:`~deepfake_lightning.data.clip_dataset.ClipDraws`, alone or in pairs.

    Args:
        manifest, rows, preprocess, frames, augment, crop_pictures: as there.
        masks: whether samples have a ``mask``.
    """

    def __init__(
        self,
        manifest: Manifest,
        rows: NDArray[np.int64],
        preprocess: Preprocess,
        *,
        frames: int,
        augment: TrainTransform | None = None,
        crop_pictures: bool = False,
        masks: bool = False,
    ) -> None:
        super().__init__(
            manifest, rows, preprocess, frames=frames, augment=augment,
            crop_pictures=crop_pictures,
        )  # fmt: skip
        self._place = FacePlace.usual(preprocess.margin)
        self._maker = PairMaker(preprocess, augment)
        self._masks = masks
        self._made: tuple[tuple[int, int, int], dict[Side, Shown]] | None = None

    def place(self, index: int) -> FacePlace:
        """Return where the face of any position is taken to be."""
        return self._place

    def __getitem__(self, draw: int | PairDraw) -> Sample:  # type: ignore[override]
        """Return one sample, as :class:`BlendedFaces` does; faces are where they usually are.

        Args:
            draw: what is shown; of a position, a picture alone.

        Raises:
            MediaError: many clips in a row gave no picture.
        """
        index, seed, slot, side = draw if isinstance(draw, tuple) else PairDraw(draw)
        found, picture, drawn = self._face(index, seed, slot)
        if side is Side.ALONE:
            shown = self._maker.alone(picture.image, drawn)
        else:
            if self._made is None or self._made[0] != (index, seed, slot):
                pair = self._maker.pair(picture.image, self.place(index), drawn)
                self._made = (index, seed, slot), pair
            shown = self._made[1][side]
        sample = self._sample(found, picture, shown.image)
        return _labelled(sample, shown, side, masks=self._masks)


def _labelled(sample: Sample, shown: Shown, side: Side, *, masks: bool) -> Sample:
    """Return a sample with the label of what is shown, and its mask."""
    if side is Side.FAKE:
        sample["label"] = torch.tensor(LABELS["fake"])
    if masks:
        sample["mask"] = torch.from_numpy(shown.mask)
    return sample
