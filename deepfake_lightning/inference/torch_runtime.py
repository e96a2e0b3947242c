"""The network through PyTorch: on a GPU, or straight from a checkpoint."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.export import ServedNetwork
from deepfake_lightning.bundle.load import WEIGHTS
from deepfake_lightning.errors import BundleError, UsageError
from deepfake_lightning.models import DeepfakeDetector

Precision = Literal["fp32", "bf16"]


class TorchRuntime:
    """A detector's network on a device.

    Args:
        detector: whose network.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...
        precision: ``bf16`` runs under autocast, with differences that the bundle records.
        threads: of PyTorch, on a CPU; it is the process's, not the network's. None leaves it.

    Raises:
        UsageError: the device is not there.
    """

    name = "torch"

    def __init__(
        self,
        detector: DeepfakeDetector,
        device: str = "cpu",
        precision: Precision = "fp32",
        threads: int | None = None,
    ) -> None:
        self.device = device
        self._kind = device.partition(":")[0]
        if self._kind == "meta":
            raise _unusable(device, "it holds no numbers")
        self._bf16 = precision == "bf16"
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            network = ServedNetwork(detector).to(memory_format=torch.channels_last).to(device)
        except (RuntimeError, AssertionError, ValueError) as error:
            raise _unusable(device, str(error).splitlines()[0][:200]) from error
        self._network = network.eval()

    def run(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits [B] and features [B, F] of inputs float32 [B, 3, S, S]."""
        with torch.inference_mode(), torch.autocast(self._kind, torch.bfloat16, enabled=self._bf16):
            inputs = torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)
            logit, features = self._network(inputs)
        return logit.float().cpu().numpy(), features.float().cpu().numpy()


def _unusable(device: str, fault: str) -> UsageError:
    return UsageError(
        f"the device {device!r} cannot be used: {fault}",
        next_step="use --device cpu, or one that is there (cuda, cuda:0, mps)",
    )


def detector_of(bundle: Bundle) -> DeepfakeDetector:
    """Return the detector whose weights a bundle holds.

    Raises:
        BundleError: the weights are no safetensors, or of another network.
    """
    path = bundle.folder / WEIGHTS
    try:
        state: dict[str, Any] = load(bundle.read(WEIGHTS))
        detector = DeepfakeDetector(
            bundle.record.backbone, pretrained=False, test_time_flip=bundle.record.test_time_flip
        )
        detector.load_state_dict(state)
    except (SafetensorError, RuntimeError, UsageError) as error:
        raise BundleError(
            f"{path} does not hold the weights of {bundle.record.backbone}: "
            f"{str(error).splitlines()[0][:200]}",
            next_step="build the bundle anew with this version of deepfake-lightning",
        ) from error
    return detector.eval()
