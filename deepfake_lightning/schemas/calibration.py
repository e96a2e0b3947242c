"""From an item's raw score to one that can be believed, and to thresholds: a fitted record."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Open = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
"""A share that is neither none nor all."""
MediaType = Literal["image", "video"]
Guarantee = Literal["marginal", "confidence"]

KINDS: tuple[MediaType, ...] = ("image", "video")
NOUNS: dict[MediaType, str] = {"image": "pictures", "video": "clips"}
GUARANTEE_LIMITS = (
    "It says nothing of other sources, cameras, platforms, compressions or methods, and counts "
    "items of one person as if they were independent"
)


class CalibrationPolicy(BaseModel):
    """What is wanted of a calibration.

    Attributes:
        fpr: share of real items that may be called manipulated, in (0, 1); None: the finest of
            1 %, 2 %, 5 %, 10 % and 20 % that the number of real calibration items allows.
        guarantee: how that holds: ``marginal``, on average over calibrations, or ``confidence``,
            for this one, but for an unlucky draw of calibration items.
        confidence: that the draw was none, in (0, 1); for ``confidence`` only.
        max_miss: share of fakes, of known kinds, that may get ``no_indication``, in (0, 1);
            None: 5 %, or the next of 10 % and 20 % that the number of fake items allows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fpr: Open | None = None
    guarantee: Guarantee = "marginal"
    confidence: Open = 0.95
    max_miss: Open | None = None


class OperatingThreshold(BaseModel):
    """A threshold, what it guarantees of real items, and what it was seen to do.

    Attributes:
        max_fpr: share of real items at or above it, at most, in (0, 1).
        guarantee: see :class:`CalibrationPolicy`.
        confidence: of the guarantee; None for a marginal one.
        threshold: calibrated log-odds.
        tpr: share of the fakes of the ``calib`` split at or above it, [0, 1].
        false_alarms: how many real items of that split are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_fpr: Open
    guarantee: Guarantee = "marginal"
    confidence: Open | None = None
    threshold: Finite
    tpr: Share
    false_alarms: int = Field(ge=0)

    @model_validator(mode="after")
    def _stated(self) -> Self:
        if (self.guarantee == "confidence") != (self.confidence is not None):
            raise ValueError("confidence goes with the guarantee 'confidence', and with it alone")
        return self


class ItemCalibration(BaseModel):
    """What was fitted on the items of one kind of media, on the ``calib`` split.

    Attributes:
        temperature: the item's logit is divided by it (Guo et al. 2017, arXiv 1706.04599); 1
            where the items do not tell it.
        indicated_from: calibrated log-odds from which on manipulation is indicated.
        clear_below: calibrated log-odds below which nothing is; in between nothing is decided.
            It is never above ``indicated_from``: where all but ``max_miss`` of the fakes score
            above that, both are equal, and nothing is inconclusive.
        items: how many items it was fitted on.
        reals, fakes: of these; None where it was not recorded.
        groups: groups among the real ones that share no person: so many independent draws they
            are, at most; None where it was not recorded.
        unscored: items of the split in which nothing could be scored: they have no part in it.
        operating: the threshold that ``indicated_from`` is; None where it was not recorded.
        thresholds: what else the items allow, the operating one among them.
        max_miss: share of known fakes below ``clear_below``, at most; None: not recorded.
        inconclusive: how many of the items lie in between; None: not recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    indicated_from: Finite
    clear_below: Finite
    items: int = Field(ge=1)
    reals: int | None = Field(default=None, ge=0)
    fakes: int | None = Field(default=None, ge=0)
    groups: int | None = Field(default=None, ge=1)
    unscored: int = Field(default=0, ge=0)
    operating: OperatingThreshold | None = None
    thresholds: tuple[OperatingThreshold, ...] = ()
    max_miss: Open | None = None
    inconclusive: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.clear_below > self.indicated_from:
            raise ValueError("clear_below is above indicated_from")
        if self.operating is not None and self.operating.threshold != self.indicated_from:
            raise ValueError("indicated_from is not the operating threshold")
        if self.operating is not None and self.operating not in self.thresholds:
            raise ValueError("the operating threshold is not among the thresholds")
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


def percent(share: float) -> str:
    """Return a share as it is read: 0.01 is ``1 %``."""
    return f"{100 * share:.4g} %"


def guarantee_words(threshold: OperatingThreshold, noun: str = "items") -> str:
    """Return what a threshold guarantees, in words; :data:`GUARANTEE_LIMITS` says what it does not.

    Args:
        threshold: the threshold.
        noun: what is scored, in the plural; see :data:`NOUNS`.
    """
    rest = f"at most {percent(threshold.max_fpr)} are called manipulated"
    drawn = f"of real {noun} drawn like those it was calibrated on, {rest}"
    if threshold.confidence is None:
        average = "on average over such calibrations, and this one may do worse"
        return f"{drawn}, {average} (split conformal)"
    sure = percent(threshold.confidence)
    return f"{drawn}, with {sure} confidence in this calibration (exact binomial bound)"


def promise(fitted: ItemCalibration | None, noun: str = "items") -> str | None:
    """Return what the verdicts of a calibration promise, and what not, in words.

    Args:
        fitted: the calibration; None: there is none.
        noun: see :func:`guarantee_words`.

    Returns:
        None where nothing is promised, or it was not recorded.
    """
    if fitted is None or fitted.operating is None:
        return None
    parts = [guarantee_words(fitted.operating, noun)]
    if fitted.max_miss is not None:
        missed = f"at most {percent(fitted.max_miss)} get 'no indication', on average"
        parts.append(f"of fakes like those, {missed}")
    return f"{'; '.join(parts)}. {GUARANTEE_LIMITS}"
