"""From an item's raw score to one that can be believed, and to thresholds: a fitted record."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
MediaType = Literal["image", "video"]


class ItemCalibration(BaseModel):
    """What was fitted on the items of one kind of media, on the ``calib`` split.

    Attributes:
        temperature: the item's logit is divided by it (Guo et al. 2017, arXiv 1706.04599).
        indicated_from: calibrated log-odds from which on manipulation is indicated.
        clear_below: calibrated log-odds below which nothing is; in between nothing is decided.
        items: how many items it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    indicated_from: Finite
    clear_below: Finite
    items: int = Field(ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.clear_below > self.indicated_from:
            raise ValueError("clear_below is above indicated_from")
        return self


class Calibration(BaseModel):
    """The calibration of one network; the identity, without verdicts, until it is fitted.

    Attributes:
        schema_version: version of this record (``schema`` in files).
        image, video: as fitted on pictures and on clips; None where it has not been: such media
            get a score and no verdict.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    image: ItemCalibration | None = None
    video: ItemCalibration | None = None

    def of(self, media_type: MediaType) -> ItemCalibration | None:
        """Return what was fitted for a kind of media."""
        return self.video if media_type == "video" else self.image

    def to_dict(self) -> dict[str, object]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)
