"""What the detector asks of the data it is trained and measured on."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.schemas import Preprocess


@runtime_checkable
class ItemSource(Protocol):
    """A data module that knows which pictures are frames of one item.

    With any other source of batches each row of a batch is an item of its own.
    """

    @property
    def preprocess(self) -> Preprocess:
        """How pictures become input, and frame scores an item's score."""

    def items(self) -> NDArray[np.int64]:
        """Return int64 [rows]: which item (clip) each row belongs to."""

    def class_counts(self, split: Literal["train"]) -> NDArray[np.int64]:
        """Return int64 [2]: real and fake pictures of a split."""
