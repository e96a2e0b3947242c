"""What runs the network: onnxruntime on a CPU, PyTorch on a GPU or for a checkpoint."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Runtime(Protocol):
    """A network that maps inputs to scores; threads may use it at the same time.

    Attributes:
        name: ``onnx`` or ``torch``.
        device: ``cpu``, ``cuda``, ...
    """

    name: str
    device: str

    def run(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits [B] and features [B, F] of inputs float32 [B, 3, S, S]."""
