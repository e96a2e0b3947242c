"""An item's features along the main directions of its detector's reference pictures.

Drift is looked for in these few numbers; a picture cannot be made from them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.load import REFERENCE_ARRAYS
from deepfake_lightning.errors import BundleError

_STORED = np.dtype("<f4")


def projection_of(
    features: NDArray[np.float32], mean: NDArray[np.float64], components: NDArray[np.float64]
) -> bytes:
    """Return the projection of an item's mean features, as it is kept.

    Args:
        features: float32 [N, F], of its N faces; N is 1 or more.
        mean: float64 [F], of the bundle's reference (:func:`reference_of`).
        components: float64 [K, F], of the same.

    Returns:
        float32 [K], little-endian: (mean over faces - ``mean``) on each component.
    """
    # Most pictures have one face; numpy's mean takes as long as all the rest.
    item = features[0] if len(features) == 1 else features.mean(axis=0, dtype=np.float64)
    return bytes((components @ (item - mean)).astype(_STORED).tobytes())


def projection_values(projection: bytes) -> NDArray[np.float32]:
    """Return the float32 [K] of :func:`projection_of`."""
    return np.frombuffer(projection, _STORED).astype(np.float32)


def reference_of(bundle: Bundle) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``mean`` [F] and ``components`` [K, F] of a detector's reference pictures.

    They are converted once, and not for each item that is projected.

    Raises:
        BundleError: its file does not hold them.
    """
    try:
        arrays = load(bundle.read(REFERENCE_ARRAYS))
        mean, components = arrays["mean"], arrays["components"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise _no_reference(bundle) from error
    width = bundle.record.features
    if mean.shape != (width,) or components.ndim != 2 or components.shape[1] != width:
        raise _no_reference(bundle)
    return mean.astype(np.float64), components.astype(np.float64)


def _no_reference(bundle: Bundle) -> BundleError:
    return BundleError(
        f"{bundle.folder / REFERENCE_ARRAYS} does not hold the reference of this detector",
        next_step="build the bundle anew: deepfake-lightning bundle build CHECKPOINT",
    )
