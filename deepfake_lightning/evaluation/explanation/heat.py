"""Heat maps of a detector's network, by captum."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
import torch
from captum.attr import LayerGradCam, Occlusion
from numpy.typing import NDArray
from torch import Tensor, nn

from deepfake_lightning.bundle.export import ServedNetwork
from deepfake_lightning.errors import UsageError
from deepfake_lightning.models import DeepfakeDetector

Method = Literal["gradcam", "occlusion"]
Floats = NDArray[np.float32]
_BATCH = 32
_ADDS_UP = 1e-4
"""By how much sums of fields in single precision may be off: log-odds, and ten times this share of
the logit."""
_OCCLUDED = 8
"""Fields on a side of an occlusion map; what is covered is two fields wide."""


class HeatMaps:
    """Maps of what raises and what lowers a face's logit.

    ``gradcam`` (Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2, without the ReLU: what
    lowers the score is kept, with its sign) weighs the network's last feature maps by their
    gradients. In a network that ends in a mean over them and a linear layer, the fields of the map
    and that layer's bias add up to the logit (:meth:`constant`). With a test-time flip the map is
    the mean of the picture's and its mirror image's, mirrored back. ``occlusion`` (Zeiler & Fergus,
    "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2) covers a square
    after the other with the mean colour: a field is the log-odds lost where it is covered, the
    mean over the squares on it. It works for any network, and takes 49 runs a face.

    Args:
        detector: in evaluation mode, on the CPU.
        size: side of the network's input, pixels.
        method: as above.

    Attributes:
        grid: fields on a side of a map.

    Raises:
        UsageError: the network has no feature maps to weigh.
    """

    def __init__(self, detector: DeepfakeDetector, size: int, method: Method = "gradcam") -> None:
        self.network = ServedNetwork(detector).to(memory_format=torch.channels_last).eval()
        self.method = method
        self._size = size
        self._layer, self.grid = (
            last_feature_maps(self.network, size) if method == "gradcam" else ("", _OCCLUDED)
        )

    def logits(self, inputs: Floats) -> Floats:
        """Return logits float32 [N] of inputs float32 [N, 3, S, S]."""
        with torch.inference_mode():
            parts = [self._logit(_tensor(inputs[at : at + _BATCH]))
                     for at in range(0, len(inputs), _BATCH)]  # fmt: skip
        return torch.cat(parts).numpy() if parts else np.zeros(0, np.float32)

    def maps(self, inputs: Floats) -> Floats:
        """Return maps float32 [N, grid, grid], in natural log-odds, of inputs [N, 3, S, S]."""
        return self.maps_of(self.network, inputs)

    def constant(self, maps: Floats, logits: Floats) -> float | None:
        """Return the classifier's bias, log-odds, where the fields and it add up to the logits.

        They do not where there are layers between feature maps and classifier, nor do what
        covered squares lose.

        Args:
            maps: float32 [N, grid, grid].
            logits: of the same inputs, float32 [N].
        """
        bias = getattr(self.network.head, "bias", None)
        if self.method != "gradcam" or bias is None:
            return None
        constant = float((bias[1] - bias[0]).detach())
        sums = maps.sum(axis=(1, 2), dtype=np.float64) + constant
        return constant if np.allclose(sums, logits, rtol=10 * _ADDS_UP, atol=_ADDS_UP) else None

    def maps_of(self, network: ServedNetwork, inputs: Floats) -> Floats:
        """Return :meth:`maps` of another network of the same architecture."""
        images = [_tensor(one[None]) for one in inputs]
        if self.method == "occlusion":
            made = [self._occluded(network, image) for image in images]
        else:
            made = [self._weighed(network, image) for image in images]
            if network.test_time_flip:
                mirrored = [self._weighed(network, image.flip(3))[:, ::-1] for image in images]
                pairs = zip(made, mirrored, strict=True)
                made = [np.mean(pair, axis=0, dtype=np.float32) for pair in pairs]
        return np.stack(made) if made else np.zeros((0, self.grid, self.grid), np.float32)

    def _weighed(self, network: ServedNetwork, image: Tensor) -> Floats:
        def logit(images: Tensor) -> Tensor:  # of these pictures, without their mirror images
            pairs: Tensor = network.head(network.backbone(images))
            return pairs[:, 1] - pairs[:, 0]

        method = LayerGradCam(logit, network.get_submodule(self._layer))
        # Also where the backbone was frozen: without it there would be no gradient.
        found = method.attribute(image.requires_grad_())
        return np.asarray(found.detach()[0, 0].numpy(), np.float32)

    def _occluded(self, network: ServedNetwork, image: Tensor) -> Floats:
        def logit(images: Tensor) -> Tensor:
            return network(images)[0]  # type: ignore[no-any-return]

        side, step = math.ceil(2 * self._size / self.grid), math.ceil(self._size / self.grid)
        with torch.inference_mode():
            found = Occlusion(logit).attribute(
                image, sliding_window_shapes=(3, side, side), strides=(3, step, step),
                baselines=0, perturbations_per_eval=_BATCH,
            )  # fmt: skip
        pixels = found[0, 0].numpy()  # the same in all three channels
        return np.asarray(cv2.resize(pixels, (self.grid, self.grid), interpolation=cv2.INTER_AREA))

    def _logit(self, images: Tensor) -> Tensor:
        logit: Tensor = self.network(images)[0]
        return logit


def _tensor(images: Floats) -> Tensor:
    return torch.from_numpy(images).to(memory_format=torch.channels_last)


def last_feature_maps(network: nn.Module, size: int) -> tuple[str, int]:
    """Return the name of the last layer that gives feature maps [B, C, H, H], and their H.

    Raises:
        UsageError: no layer does, as in transformers, or they are not square.
    """
    found: list[tuple[str, tuple[int, ...]]] = []

    def note(name: str) -> object:
        def hook(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                found.append((name, tuple(output.shape)))

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in network.named_modules()]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, size, size))
    finally:
        for hook in hooks:
            hook.remove()
    if not found or found[-1][1][2] != found[-1][1][3]:
        raise UsageError(
            "Grad-CAM weighs feature maps of channels x height x width, and this network ends "
            "in none",
            why="transformers, for one, have tokens instead",
            next_step="use --method occlusion, which works for any network",
        )
    name, shape = found[-1]
    return name, shape[2]
