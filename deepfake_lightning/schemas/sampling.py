"""Which frames of a clip are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

from deepfake_lightning.errors import UsageError

Kind = Literal["even", "every", "keyframes", "all"]
_KINDS = "even:16 (16 frames, evenly spaced), every:0.5 (one each half second), keyframes, all"


@dataclass(frozen=True)
class Sampling:
    """A way to choose frames.

    Attributes:
        kind: ``even`` (a number of frames, evenly spaced), ``every`` (one in so many seconds),
            ``keyframes`` (those that the encoder stored whole) or ``all``.
        amount: frames for ``even``, seconds for ``every``, None for the others.

    Example:
        >>> Sampling.parse("even:16")
        Sampling(kind='even', amount=16)
        >>> str(Sampling.parse("every:0.5s"))
        'every:0.5'
    """

    kind: Kind
    amount: float | None = None

    @classmethod
    def parse(cls, text: str) -> Sampling:
        """Read ``even:16``, ``every:0.5`` (or ``every:0.5s``), ``keyframes`` or ``all``.

        Raises:
            UsageError: it is none of these, or its number is not one that can be used.
        """
        name, colon, number = text.strip().partition(":")
        if not colon:
            if name == "keyframes":
                return cls("keyframes")
            if name == "all":
                return cls("all")
        elif name == "even" and number.isascii() and number.isdigit() and int(number) > 0:
            return cls("even", int(number))
        elif name == "every" and (seconds := _seconds(number)) is not None:
            return cls("every", seconds)
        raise UsageError(f"sampling {text!r} is not known", next_step=f"use one of: {_KINDS}")

    def __str__(self) -> str:
        return self.kind if self.amount is None else f"{self.kind}:{self.amount:.15g}"


def _seconds(text: str) -> float | None:
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _checked(text: str) -> str:
    try:
        return str(Sampling.parse(text))
    except UsageError as error:
        raise ValueError(error.what) from error  # as pydantic wants it


SamplingText = Annotated[str, AfterValidator(_checked)]
"""A sampling as a record keeps it."""
