"""What a detector takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from torch import Tensor


class Batch(TypedDict):
    """One batch of B pictures; B can be 0 in scoring, where no clip of a batch has a face.

    ``row``, ``track`` and ``frame`` are integers because they survive a gather over
    processes; names are looked up in the manifest by ``row``. Scores are
    de-duplicated on all three.

    Loaders carry pictures as uint8 [B, H, W, 3]; the data module turns them into ``image`` once
    they are on the device.

    Attributes:
        image: float32 [B, 3, H, W], normalised with the preprocessing's mean and std.
        label: int64 [B]; 0 real, 1 fake, -1 unknown.
        row: int64 [B]; position in the manifest.
        track: int64 [B]; face track within the item, -1 where there are no tracks.
        frame: int64 [B]; frame number within the item, -1 where there are no frames.
        lost: int64 [L, 2]; rows of items without a picture, and why: positions in
            :data:`~deepfake_lightning.schemas.STATUSES`. Counted, never dropped.
        mask: float32 [B, 1, H, W] in [0, 1], where the picture was manipulated.
    """

    image: Tensor
    label: Tensor
    row: Tensor
    track: Tensor
    frame: Tensor
    lost: NotRequired[Tensor]
    mask: NotRequired[Tensor]
