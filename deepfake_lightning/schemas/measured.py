"""What a version was measured to be: the metrics that travel with its bundle."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.schemas.calibration import MediaType

Number = Annotated[float, Field(allow_inf_nan=False)]


class MeasuredValue(BaseModel):
    """A value and its 95 % interval, each None where it is undefined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Number | None
    low: Number | None = None
    high: Number | None = None


class MeasuredThreshold(BaseModel):
    """What the operating threshold of a kind of media did on the items that were scored.

    Attributes:
        media_type: the kind; None where it is not known.
        probability: calibrated probability from which on an item is called manipulated.
        is_calibrated: whether a calibration chose it; else it is 0.5.
        false_alarms: share of real items at or above it.
        found: share of fakes at or above it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    media_type: MediaType | None
    probability: Number
    is_calibrated: bool
    false_alarms: MeasuredValue
    found: MeasuredValue


class Measured(BaseModel):
    """The file ``evaluation.json`` of a bundle.

    Attributes:
        schema_version: version of this record (``schema`` in the file).
        created: UTC, RFC 3339.
        split: which was scored.
        content_hash: of the rows that were scored.
        split_policy: how the splits were made.
        looks: how often these rows had been scored in their workspace; None where not counted.
        real, fake: items with a score and this label.
        unscored: items without a score.
        groups: independent groups (people) among the scored items.
        metrics: level (``item``, ``frame``) -> metric -> value.
        thresholds: by kind of media.
        notes: what a reader has to know of the figures, in sentences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    created: str
    split: str
    content_hash: str | None
    split_policy: str | None
    looks: int | None
    real: int = Field(ge=0)
    fake: int = Field(ge=0)
    unscored: int = Field(ge=0)
    groups: int = Field(ge=0)
    metrics: dict[str, dict[str, MeasuredValue]]
    thresholds: tuple[MeasuredThreshold, ...] = ()
    notes: tuple[str, ...] = ()

    def item(self, name: str) -> MeasuredValue:
        """Return a metric of items, undefined where it was not measured."""
        return self.metrics.get("item", {}).get(name, MeasuredValue(value=None))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)
