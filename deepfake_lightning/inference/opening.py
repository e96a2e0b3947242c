"""Which engine: from a bundle or a checkpoint, on which device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.calibration_file import calibration_path, read_calibration
from deepfake_lightning.bundle.load import ONNX
from deepfake_lightning.errors import BundleError, CheckpointError, UsageError
from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.onnx_runtime import OnnxRuntime
from deepfake_lightning.schemas import Calibration

RuntimeName = Literal["auto", "onnx", "torch"]


@dataclass(frozen=True)
class EngineSource:
    """What an engine is made of; it can be sent to other processes, which open their own.

    Attributes:
        bundle, checkpoint: one of them.
        runtime: ``auto`` is ONNX for a bundle on the CPU, and PyTorch for all else.
        device: ``cpu``, ``cuda``, ...
        precision: of PyTorch.
        threads: that one run of the network uses on a CPU; None: one of ONNX, PyTorch as it is
            set up.
        digest: what the bundle's has to be, or the checkpoint's SHA-256; None: any.
        calibration: of a checkpoint; None: the one beside it, if there is one.
    """

    bundle: Path | None = None
    checkpoint: Path | None = None
    runtime: RuntimeName = "auto"
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = None
    digest: str | None = None
    calibration: Calibration | None = None

    def stamp(self) -> tuple[int, ...]:
        """Return when a checkpoint and the calibration beside it were written, nanoseconds.

        Nothing of a bundle, which is never changed.
        """
        if self.checkpoint is None:
            return ()
        paths = (self.checkpoint, calibration_path(self.checkpoint))
        return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)

    def open(self) -> Engine:
        """Open the engine; a bundle is verified first.

        Raises:
            UsageError: not one of bundle and checkpoint is given, or they cannot be run so.
            BundleError: the bundle is damaged, changed or foreign.
            CheckpointError: the checkpoint is, or the calibration beside it.
        """
        if (self.bundle is None) == (self.checkpoint is None):
            raise UsageError(
                "an engine is made of a bundle or of a checkpoint",
                next_step="pass --bundle FOLDER or --ckpt_path FILE",
            )
        torch_wanted = self.device != "cpu" or self.precision != "fp32"
        if self.runtime == "onnx" and (torch_wanted or self.checkpoint is not None):
            raise UsageError(
                "ONNX runs bundles, on the CPU, in fp32",
                next_step="leave --runtime out, or build a bundle of the checkpoint",
            )
        if self.checkpoint is not None:
            return self._of_checkpoint(self.checkpoint)
        assert self.bundle is not None
        return self._of_bundle(self.bundle, self.runtime == "torch" or torch_wanted)

    def _of_bundle(self, folder: Path, use_torch: bool) -> Engine:
        bundle = load_bundle(folder)
        if self.digest not in (None, bundle.digest):
            raise BundleError(
                f"{folder} is not the bundle it was when this began",
                next_step="begin anew",
            )
        if use_torch:
            from deepfake_lightning.inference.torch_runtime import TorchRuntime, detector_of

            runtime: OnnxRuntime | TorchRuntime = TorchRuntime(
                detector_of(bundle), self.device, self.precision, self.threads
            )
        else:
            runtime = OnnxRuntime(
                bundle.read(ONNX), str(folder / ONNX), size=bundle.preprocess.size,
                features=bundle.record.features, threads=self.threads or 1,
            )  # fmt: skip
        return Engine(
            runtime, bundle.preprocess, bundle.calibration, version=bundle.record.version,
            digest=bundle.digest, is_demo=bundle.record.demo,
        )  # fmt: skip

    def _of_checkpoint(self, path: Path) -> Engine:
        from deepfake_lightning.inference.torch_runtime import TorchRuntime
        from deepfake_lightning.models.checkpoints import load_detector

        trained = load_detector(path)
        if self.digest not in (None, trained.sha256):
            raise CheckpointError(
                f"{path} is not the checkpoint it was when this began", next_step="begin anew"
            )
        calibration = self.calibration or read_calibration(path, trained.sha256) or Calibration()
        runtime = TorchRuntime(trained.detector, self.device, self.precision, self.threads)
        return Engine(
            runtime, trained.served, calibration, version=f"checkpoint {trained.sha256[:12]}",
            digest=trained.sha256, is_demo=trained.drawn,
        )  # fmt: skip


def open_engine(
    bundle: Path | None = None,
    checkpoint: Path | None = None,
    *,
    runtime: RuntimeName = "auto",
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    threads: int | None = None,
) -> Engine:
    """Return an engine; the arguments are the attributes of :class:`EngineSource`.

    Raises:
        BundleError, CheckpointError, UsageError: as :meth:`EngineSource.open`.
    """
    source = EngineSource(bundle, checkpoint, runtime, device, precision, threads)
    return source.open()
