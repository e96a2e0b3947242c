"""The detector that is timed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.errors import UsageError
from deepfake_lightning.inference.benchmark.own_process import own_processes
from deepfake_lightning.inference.opening import EngineSource


@dataclass(frozen=True)
class Timed:
    """The detector that is timed.

    Attributes:
        source: what it is made of; its ``digest`` is set.
        version: of the detector.
        digest: the bundle's, or the checkpoint's SHA-256.
        backbone: timm's name of the network.
        features: width of its features.
        size: side of its own input, pixels.
        demo: it was trained on drawn faces.
        size_mb: of its files, 10^6 bytes.
    """

    source: EngineSource
    version: str
    digest: str
    backbone: str
    features: int
    size: int
    demo: bool
    size_mb: float


def timed(source: EngineSource) -> Timed:
    """Return what is timed.

    Raises:
        UsageError: it is not made of one of bundle and checkpoint.
        BundleError, CheckpointError: it is damaged, changed or foreign.
    """
    if (source.bundle is None) == (source.checkpoint is None):
        raise UsageError(
            "what is timed is a bundle or a checkpoint", next_step="name one of the two"
        )
    if source.bundle is not None:
        return _bundle(source, source.bundle)
    # Elsewhere: this process is left without torch.
    with own_processes(["reading the checkpoint"]) as (process,):
        return process.run(_checkpoint, source)


def _bundle(source: EngineSource, folder: Path) -> Timed:
    bundle = load_bundle(folder)
    files = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    record = bundle.record
    return Timed(
        replace(source, digest=bundle.digest), record.version, bundle.digest, record.backbone,
        record.features, bundle.preprocess.size, record.demo, round(files / 1e6, 2),
    )  # fmt: skip


def _checkpoint(source: EngineSource) -> Timed:
    from deepfake_lightning.inference.benchmark.torch_side import checkpoint_facts

    assert source.checkpoint is not None
    sha256, backbone, features, size, drawn = checkpoint_facts(source.checkpoint)
    return Timed(
        replace(source, digest=sha256), f"checkpoint {sha256[:12]}", sha256, backbone, features,
        size, drawn, round(source.checkpoint.stat().st_size / 1e6, 2),
    )  # fmt: skip
