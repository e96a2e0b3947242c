"""What a bundle says of itself: the record from which all else in it is understood."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_VERSION = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}")
Difference = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _plain_version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise ValueError("use letters, digits, '.', '_', '+' and '-', 64 at most")
    return value


class Agreement(BaseModel):
    """How far two ways of running one network are apart, as measured.

    Attributes:
        pictures: how many were compared.
        logit: largest difference of a logit.
        features: largest difference of a feature, over the largest feature.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int = Field(ge=1)
    logit: Difference
    features: Difference


class Agreements(BaseModel):
    """What was measured when the bundle was built, against PyTorch in fp32 on the CPU.

    Attributes:
        onnx_cpu: ONNX on identical inputs, fp32 on the CPU; within 1e-4 in every bundle.
        onnx_media: ONNX from media to score, on the golden pictures.
        gpu_fp32, gpu_bf16: PyTorch on a GPU (TF32 as PyTorch has it by default); None where the
            bundle was built without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    onnx_cpu: Agreement
    onnx_media: Agreement
    gpu_fp32: Agreement | None = None
    gpu_bf16: Agreement | None = None


class BundleRecord(BaseModel):
    """The file ``bundle.json``.

    Attributes:
        schema_version: version of the bundle's layout (``schema`` in the file): 2 where there is a
            test-time flip, which programs that know only 1 would leave out.
        version: of the detector, ``v1.0.0``.
        created: UTC, RFC 3339.
        backbone: timm's name of the network.
        features: width of its features.
        classes: what the logit is between.
        test_time_flip: logit and features are the means of a picture and its mirror image.
        demo: trained on drawn faces: proves a pipeline, and says nothing about deepfakes.
        checkpoint: SHA-256 of the checkpoint it was built from.
        agreement: see :class:`Agreements`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1, 2] = Field(default=1, alias="schema")
    version: Annotated[str, AfterValidator(_plain_version)]
    created: str
    backbone: str
    features: int = Field(ge=1)
    classes: tuple[Literal["real"], Literal["fake"]] = ("real", "fake")
    test_time_flip: bool = False
    demo: bool
    checkpoint: str
    agreement: Agreements

    def to_dict(self) -> dict[str, object]:
        """Return the record as plain JSON types."""
        left_out = None if self.test_time_flip else {"test_time_flip"}
        return self.model_dump(mode="json", by_alias=True, exclude=left_out)

    @model_validator(mode="after")
    def _has_the_layout_it_says(self) -> BundleRecord:
        if self.test_time_flip != (self.schema_version == 2):
            raise ValueError("schema 2 is of bundles with a test_time_flip, and of no others")
        return self
