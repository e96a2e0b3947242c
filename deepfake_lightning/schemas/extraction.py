"""How pictures were taken out of clips and photographs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.schemas.preprocess import FaceSearch
from deepfake_lightning.schemas.sampling import SamplingText


class Extraction(BaseModel):
    """What ``extract`` did, the same for real and fake media alike.

    A manifest of extracted pictures carries it, so that a network trained on them knows how to
    cut the faces it will be shown later.

    Attributes:
        faces: how faces are found; None where whole frames are kept.
        margin: side of a crop over the longer side of its face's box.
        sampling: which frames of a clip are looked at, see
            :class:`~deepfake_lightning.schemas.Sampling`.
        size: side of the crops, pixels; for whole frames the longest side, None as they come.
        picture_format: of the files; ``png`` loses nothing.
        quality: of JPEG files.
        balance: whether the class with more media gives fewer frames of each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    faces: FaceSearch | None = FaceSearch()
    margin: float = Field(default=1.3, ge=1.0, le=4.0)
    sampling: SamplingText = "even:16"
    size: int | None = Field(default=224, ge=16, le=4096)
    picture_format: Literal["jpg", "png"] = "jpg"
    quality: int = Field(default=95, ge=1, le=100)
    balance: bool = False
