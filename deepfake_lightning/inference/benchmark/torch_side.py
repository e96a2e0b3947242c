"""What of a benchmark needs PyTorch: its runtime, graphs of other sizes, the GPU."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

import torch

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.export import ServedNetwork, export_onnx
from deepfake_lightning.inference.benchmark.device import GpuRecord
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.torch_runtime import TorchRuntime, detector_of
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.models.backbones import feature_count
from deepfake_lightning.models.checkpoints import load_detector
from deepfake_lightning.storage import atomic_write


def checkpoint_facts(path: Path) -> tuple[str, str, int, int, bool]:
    """Return a checkpoint's SHA-256, backbone, width of features, input size, and if it is a demo.

    Raises:
        CheckpointError: it is missing, damaged or foreign.
    """
    trained = load_detector(path)
    backbone = str(trained.detector.hparams["backbone"])
    features = feature_count(trained.detector.backbone)
    return trained.sha256, backbone, features, trained.served.size, trained.drawn


def open_torch(
    source: EngineSource, device: str, precision: Literal["fp32", "bf16"], threads: int
) -> TorchRuntime:
    """Return the network of a bundle or a checkpoint, run by PyTorch.

    Raises:
        BundleError, CheckpointError: its weights cannot be read.
        UsageError: the device is not there.
    """
    return TorchRuntime(_detector(source), device, precision, threads)


def export_graph(source: EngineSource, size: int, path: Path) -> None:
    """Write the network as an ONNX graph of another input size.

    Raises:
        BundleError: it cannot be exported.
    """
    data = export_onnx(ServedNetwork(_detector(source)), size)
    with atomic_write(path) as file:
        file.write(data)


def gpu_record(device: str) -> GpuRecord:
    """Return what a device of CUDA is."""
    about = torch.cuda.get_device_properties(device)
    return GpuRecord(
        name=about.name, memory_gb=round(about.total_memory / 1e9, 1), driver=_driver(),
        cuda=torch.version.cuda,
    )  # fmt: skip


def peak_gpu_memory_mb(device: str) -> float | None:
    """Return the most that PyTorch held of a GPU's memory, 10^6 bytes; None on others."""
    if not device.startswith("cuda"):
        return None
    return round(torch.cuda.max_memory_reserved(device) / 1e6, 1)


def _driver() -> str | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return made.stdout.partition("\n")[0].strip() or None


def _detector(source: EngineSource) -> DeepfakeDetector:
    if source.bundle is not None:
        return detector_of(load_bundle(source.bundle))
    assert source.checkpoint is not None
    return load_detector(source.checkpoint).detector
