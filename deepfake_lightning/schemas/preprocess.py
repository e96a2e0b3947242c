"""How a picture becomes a network's input: one record, from training to serving."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


class Aggregation(BaseModel):
    """How frame scores become an item's score.

    Frames to track: the highest mean over ``window`` consecutive scored frames, so
    that a short forgery is not averaged away. Tracks to item: the maximum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int = Field(default=8, ge=1)


class Preprocess(BaseModel):
    """What has to be done to a picture before a given network may see it.

    Attributes:
        schema_version: version of this record (``schema`` in files).
        input: ``crop`` where the pictures are faces already (never cropped again),
            ``frame`` where a face has to be found first.
        size: side of the square input, pixels.
        mean, std: per RGB channel, for pixels in [0, 1].
        interpolation: ``area`` (no aliasing when shrinking), ``linear`` or ``cubic``.
        margin: side of the crop over the side of the face box, where ``input`` is ``frame``.
        aggregation: from frame scores to the item's score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    input: Literal["crop", "frame"] = "crop"
    size: int = Field(default=224, ge=16, le=4096)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    interpolation: Literal["area", "linear", "cubic"] = "area"
    margin: float = Field(default=1.3, ge=1.0, le=4.0)
    aggregation: Aggregation = Aggregation()

    def to_dict(self) -> dict[str, object]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)
