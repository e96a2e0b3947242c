"""The network through onnxruntime, on the CPU. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.bundle.onnx_session import INPUT, OUTPUTS, open_session


class OnnxRuntime:
    """An ONNX graph.

    Args:
        data: the graph's bytes.
        name: of its file, for messages.
        threads: how many one run uses. Several processes with one thread each score more than one
            process with as many threads.

    Raises:
        BundleError: it is no graph of a detector.
    """

    name = "onnx"
    device = "cpu"

    def __init__(self, data: bytes, name: str, threads: int = 1) -> None:
        self._session = open_session(data, name, threads)

    def run(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits [B] and features [B, F] of inputs float32 [B, 3, S, S]."""
        logit, features = self._session.run(list(OUTPUTS), {INPUT: images})
        return logit, features
