"""What a configuration says of self-blended images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

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

    @classmethod
    def of(cls, given: object) -> Blending | None:
        """Return what a configuration or a checkpoint holds, checked; None for none.

        Args:
            given: a mapping of the fields, one of these, or None.

        Raises:
            UsageError: it is something else, or one of its values is.
        """
        if given is None:
            return None
        if isinstance(given, cls):
            given.check()
            return given
        if not isinstance(given, Mapping):
            raise UsageError(
                f"data.blending is {given!r}",
                why="it is the fields share and ratio, or null",
                next_step="set data.blending: {share: 1.0, ratio: 0.0}, or leave it out",
            )
        made = cls(**_known(given))
        made.check()
        return made

    def check(self) -> None:
        """Refuse what cannot be trained with.

        Not in ``__init__``: a parser of arguments takes an error there for one of its own.

        Raises:
            UsageError: a value is no number, or out of its range.
        """
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"data.blending.{name} is {value!r}", next_step="give a number")
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


def _known(given: Mapping[str, float]) -> Mapping[str, float]:
    unknown = sorted(str(name) for name in given.keys() - asdict(Blending()).keys())
    if unknown:
        raise UsageError(
            f"data.blending.{unknown[0]} is no setting", next_step="set share or ratio"
        )
    return given


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
