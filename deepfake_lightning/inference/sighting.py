"""What is seen of an item before anything is scored: it crosses from a decoder's process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deepfake_lightning.errors import MediaError, MediaLimitError
from deepfake_lightning.inference.seeing import Look, Seen, Viewer
from deepfake_lightning.inference.stages import Stage
from deepfake_lightning.media import Limits
from deepfake_lightning.media.quality import quality
from deepfake_lightning.schemas import Examined
from deepfake_lightning.schemas.calibration import MediaType

MOST_FACES = 512
"""Of one item: 77 MB at 224 x 224 pixels."""


@dataclass(frozen=True)
class Sighting:
    """The faces of a picture or clip, cut out, and what else should be known of them.

    Attributes:
        kind: of the media.
        seen: the faces, in order.
        quality: mean of each image-quality feature over them (``media.quality``).
        fault: why the media cannot be read; None where they can.
        over_limit: they are larger or longer than they may be.
        no_face: what is said where there is no face.
        notes, examined: as of :class:`~deepfake_lightning.schemas.Assessment`.
        seconds: of the stages before the network, wall clock.
    """

    kind: MediaType
    seen: tuple[Seen, ...] = ()
    quality: Mapping[str, float] = field(default_factory=dict)
    fault: str | None = None
    over_limit: bool = False
    no_face: str = ""
    notes: tuple[str, ...] = ()
    examined: Examined | None = None
    seconds: Mapping[Stage, float] = field(default_factory=dict)


def sight(
    viewer: Viewer,
    source: Path | bytes,
    *,
    kind: MediaType,
    limits: Limits,
    already_cropped: bool | None = None,
    most: int = MOST_FACES,
) -> Sighting:
    """Look at a picture or clip; media that cannot be read are a result and not an error.

    Args:
        viewer: of the detector's preprocessing.
        source: its file, or its bytes.
        kind: of the media.
        limits: of one clip; of a picture its pixels.
        already_cropped: as for :meth:`~deepfake_lightning.inference.Engine.assess`.
        most: faces that are kept in memory; media with more are refused.
    """
    look = Look()
    seen: list[Seen] = []
    totals: dict[str, float] = {}
    try:
        faces = (
            viewer.clip(source, look, limits, already_cropped is True)
            if kind == "video"
            else viewer.picture(source, look, already_cropped, limits.pixels)
        )
        for each in faces:
            if len(seen) == most:
                raise MediaLimitError(f"the upload shows faces more than {most} times")
            seen.append(each)
            for name, value in quality(each.image).items():
                totals[name] = totals.get(name, 0.0) + value
    except MediaError as error:
        over = isinstance(error, MediaLimitError)
        return Sighting(kind, fault=error.what, over_limit=over, seconds=look.stages.seconds)
    return Sighting(
        kind,
        tuple(seen),
        {name: total / len(seen) for name, total in totals.items()},
        no_face=look.no_face,
        notes=tuple(look.notes),
        examined=look.examined,
        seconds=look.stages.seconds,
    )
