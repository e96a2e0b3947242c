"""Does a detector score here as it did where its bundle was built?"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.load import GOLDEN
from deepfake_lightning.errors import BundleError
from deepfake_lightning.inference.engine import Engine

Finite = Annotated[float, Field(allow_inf_nan=False)]


_LARGEST_TOLERANCE = 0.1  # a bundle cannot switch the check off


class GoldenExpected(BaseModel):
    """What a golden picture has to give.

    Attributes:
        file: of the bundle.
        faces: that are scored in it.
        logit: of the picture; None without a face.
    """

    file: str
    faces: int = Field(ge=0)
    logit: Finite | None

    @model_validator(mode="after")
    def _scored(self) -> Self:
        if (self.logit is None) != (self.faces == 0):
            raise ValueError("a picture with faces has a logit, and one without has none")
        return self


class Golden(BaseModel):
    """A bundle's ``golden/golden.json``.

    Attributes:
        tolerance: how far a logit may be off elsewhere.
        pictures: one or more.
    """

    tolerance: Annotated[Finite, Field(ge=0, le=_LARGEST_TOLERANCE)]
    pictures: tuple[GoldenExpected, ...] = Field(min_length=1)


def golden_difference(engine: Engine, bundle: Bundle) -> float | None:
    """Score a bundle's golden pictures; return the largest difference of a logit.

    None where the detector finds no face in any of them, there as here: nothing is compared.

    Raises:
        BundleError: a picture's logit, or the number of its faces, is another than it has to be.
    """
    golden = read_golden(bundle)
    crops = True if bundle.preprocess.input == "crop" else None
    differences = []
    for picture in golden.pictures:
        found = engine.assess(bundle.read(picture.file), name=picture.file, already_cropped=crops)
        if found.status == "unreadable" or len(found.faces) != picture.faces:
            gives = found.reason if found.status == "unreadable" else f"{len(found.faces)}"
            raise _other(bundle, picture.file, f"{picture.faces} faces", f"{gives}")
        if picture.logit is None or found.logit is None:
            continue
        difference = abs(found.logit - picture.logit)
        if difference > golden.tolerance:
            raise _other(bundle, picture.file, f"a logit of {picture.logit:.4f}",
                         f"{found.logit:.4f}")  # fmt: skip
        differences.append(difference)
    return max(differences, default=None)


def read_golden(bundle: Bundle) -> Golden:
    """Return what a bundle's golden pictures have to give.

    Raises:
        BundleError: it does not say so in a way that is understood here.
    """
    try:
        return Golden.model_validate(bundle.read_json(GOLDEN))
    except ValidationError as error:
        raise BundleError(
            f"{bundle.folder / GOLDEN} does not say what the golden pictures have to give: "
            f"{str(error)[:300]}",
            next_step="build the bundle anew with this version of deepfake-lightning",
        ) from error


def _other(bundle: Bundle, name: str, expected: str, found: str) -> BundleError:
    return BundleError(
        f"{bundle.folder}: {name} has to give {expected}, and gives {found} here",
        why="media are decoded, or the network is run, otherwise than where the bundle was built: "
        "its scores here are not those that were measured",
        next_step="compare the packages of provenance.json with `pip list`, or build it anew here",
    )
