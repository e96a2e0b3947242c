"""What is timed, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

RuntimeKind = Literal["onnx", "torch"]
Value = TypeVar("Value")


class Plan(BaseModel):
    """What is timed, and for how long.

    Attributes:
        runtimes: what runs the network. The first of them that can is what media are timed with.
        batches: pictures in one call; none: the network is not timed by itself.
        sizes: sides of the input, pixels; none: the detector's own.
        seconds: how long each row is timed, at least.
        clips: how many clips, and how many pictures, of the data are timed at most; 0: none.
        workers: processes that score media at once, in a second measurement; 1: there is none.
        price: of this machine, an hour, in any currency; None: no costs are told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtimes: tuple[RuntimeKind, ...] = Field(default=("onnx", "torch"), min_length=1)
    batches: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = (1, 8, 32)
    sizes: tuple[Annotated[int, Field(ge=16, le=4096)], ...] = ()
    seconds: float = Field(default=5.0, gt=0, le=3600)
    clips: int = Field(default=16, ge=0, le=10_000)
    workers: int = Field(default=1, ge=1, le=1024)
    price: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @field_validator("runtimes", "batches", "sizes")
    @classmethod
    def _each_once(cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        if len(set(values)) < len(values):
            raise ValueError("name each once")
        return values

    @property
    def rows(self) -> int:
        """How many rows of the network there are to be."""
        return len(self.runtimes) * len(self.batches) * max(1, len(self.sizes))
