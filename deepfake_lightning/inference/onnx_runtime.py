"""The network through onnxruntime, on the CPU. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.bundle.onnx_session import open_session, run_session
from deepfake_lightning.errors import BundleError


class OnnxRuntime:
    """An ONNX graph.

    Args:
        data: the graph's bytes.
        name: of its file, for messages.
        size: side of its input, pixels.
        features: width of its features.
        threads: how many one run uses. Several processes with one thread each score more than one
            process with as many threads.

    Raises:
        BundleError: it is no graph of a detector, or of one with other sizes.
    """

    name = "onnx"
    device = "cpu"

    def __init__(
        self, data: bytes, name: str, *, size: int, features: int, threads: int = 1
    ) -> None:
        self._session = open_session(data, name, threads)
        self._try(name, size, features)

    def run(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits [B] and features [B, F] of inputs float32 [B, 3, S, S]."""
        return run_session(self._session, images)

    def _try(self, name: str, size: int, features: int) -> None:
        """Run it once: here, what it gives can be refused before anything is scored."""
        try:
            made = self.run(np.zeros((2, 3, size, size), np.float32))
        except Exception as error:  # onnxruntime raises a dozen kinds of its own
            fault = f"fails: {str(error).splitlines()[0][:300]}"
        else:
            found = [(array.shape, array.dtype.name) for array in made]
            if found == [((2,), "float32"), ((2, features), "float32")]:
                return
            fault = f"gives {found}"
        raise BundleError(
            f"{name}, shown two pictures of {size} x {size} pixels, {fault}",
            why=f"a detector gives two logits and two rows of {features} features, float32",
            next_step="build the bundle anew with this version of deepfake-lightning",
        )
