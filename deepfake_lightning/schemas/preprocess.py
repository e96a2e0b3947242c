"""How a picture becomes a network's input: one record, from training to serving."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.schemas.sampling import SamplingText

Positive = Annotated[float, Field(gt=0)]


class Aggregation(BaseModel):
    """How frame scores become an item's score.

    Frames to track: the highest mean over ``window`` consecutive scored frames, so
    that a short forgery is not averaged away. Tracks to item: the maximum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int = Field(default=8, ge=1)


class FaceSearch(BaseModel):
    """How faces are found in a frame, and which of them are kept.

    Attributes:
        detector: the network that finds them: YuNet (Wu et al., 2023,
            doi:10.1007/s11633-023-1423-y), through OpenCV.
        detection_side: frames with a longer side than this, pixels, are shrunk to it to look for
            faces; boxes are in pixels of the frame all the same.
        min_score: lowest score of a face, 0 to 1.
        min_size: lowest longer side of a face's box, pixels of the frame.
        min_sharpness: lowest sharpness of a face's crop (the variance of its Laplacian, as
            ``media.sharpness`` gives it: about 100 to 350 in clear clips); 0 keeps all.
        max_faces: how many faces of a frame are kept, the largest first.
        align: turn each crop so that the eyes are level. It resamples every pixel, which softens
            the traces of forgeries.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: Literal["yunet"] = "yunet"
    detection_side: int = Field(default=640, ge=64, le=4096)
    min_score: float = Field(default=0.7, ge=0.0, le=1.0)
    min_size: int = Field(default=32, ge=1)
    min_sharpness: float = Field(default=0.0, ge=0.0)
    max_faces: int = Field(default=8, ge=1, le=100)
    align: bool = False


class Preprocess(BaseModel):
    """What has to be done to a picture before a given network may see it.

    Attributes:
        schema_version: version of this record (``schema`` in files).
        input: ``crop`` where the pictures are faces already (never cropped again),
            ``frame`` where faces have to be found first, ``whole`` where frames are scored as they
            are, with no face looked for.
        size: side of the square input, pixels.
        mean, std: per RGB channel, for pixels in [0, 1].
        interpolation: ``area`` (no aliasing when shrinking), ``linear`` or ``cubic``.
        margin: side of a crop over the longer side of its face's box.
        faces: how faces are found, where ``input`` is ``frame``.
        sampling: which frames of a clip are looked at, see
            :class:`~deepfake_lightning.schemas.Sampling`.
        aggregation: from frame scores to the item's score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    input: Literal["crop", "frame", "whole"] = "crop"
    size: int = Field(default=224, ge=16, le=4096)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    interpolation: Literal["area", "linear", "cubic"] = "area"
    margin: float = Field(default=1.3, ge=1.0, le=4.0)
    faces: FaceSearch = FaceSearch()
    sampling: SamplingText = "even:16"
    aggregation: Aggregation = Aggregation()

    def to_dict(self) -> dict[str, object]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)
