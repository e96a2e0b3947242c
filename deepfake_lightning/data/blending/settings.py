"""What a configuration says of self-blended images."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_lightning.errors import UsageError


@dataclass(frozen=True)
class Blending:
    """How many fakes are made of real faces, and how many of the data's own are shown with them.

    Masks follow the landmarks of crops that ``extract`` made; in other crops and in videos a face
    is taken to be in the middle, upright, its box ``1 / data.margin`` of the side.

    Args:
        share: of the real faces that an epoch shows together with a fake made of them, above 0,
            at most 1.
        ratio: fakes of the data for each that is made; 0 trains on real faces alone.
    """

    share: float = 1.0
    ratio: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(
                f"data.blending.share is {self.share:g}",
                next_step="give a share above 0, at most 1",
            )
        if not 0 <= self.ratio <= 100:
            raise UsageError(
                f"data.blending.ratio is {self.ratio:g}",
                why="it is the number of fakes of the data for each that is made",
                next_step="give a number from 0 (real faces alone) to 100",
            )


def check_pairs_fit(batch_size: int, balance: str) -> None:
    """Refuse a batch that cannot hold whole pairs, and a second rule for which pictures are shown.

    Raises:
        UsageError: one of them.
    """
    if batch_size < 2 or batch_size % 2:
        raise UsageError(
            f"data.batch_size is {batch_size}, and data.blending is on",
            why="a real face and the fake made of it stay in one batch",
            next_step="give an even size",
        )
    if balance != "none":
        raise UsageError(
            f"data.balance is {balance!r}, and data.blending is on",
            why="both say how many fakes there are for the real faces",
            next_step="leave data.balance out, and set data.blending.ratio",
        )


def check_faces(kind: str) -> None:
    """Refuse pictures in which nobody knows where a face is.

    Args:
        kind: ``input`` of the :class:`~deepfake_lightning.schemas.Preprocess`.

    Raises:
        UsageError: whole frames.
    """
    if kind == "whole":
        raise UsageError(
            "data.blending is on, and whole frames are trained on",
            why="a face is laid over itself, so that it has to be known where it is",
            next_step="train on face crops (extract makes them), or leave data.face out",
        )
