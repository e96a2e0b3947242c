"""What explains a detector: its engine, and its network in PyTorch."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.explanation.explain import Explainer
from deepfake_lightning.evaluation.explanation.heat import HeatMaps, Method
from deepfake_lightning.inference import EngineSource
from deepfake_lightning.inference.torch_runtime import detector_of
from deepfake_lightning.models.checkpoints import load_detector

MOST_FACES = 64


def open_explainer(
    source: EngineSource,
    *,
    method: Method = "gradcam",
    faces: int = 8,
    checks: bool = True,
    seed: int = 0,
) -> Explainer:
    """Return what explains the scores of a bundle or checkpoint; :class:`Explainer` says the rest.

    Args:
        source: as ``predict`` opens it; on the CPU.
        method: of the maps.
        faces: of an item that are explained, at most: 1 to 64.
        checks: whether the maps are checked.
        seed: of the checks.

    Raises:
        UsageError: there are too few or too many faces, or the network has no such maps.
        BundleError, CheckpointError: as :meth:`EngineSource.open`.
    """
    if not 1 <= faces <= MOST_FACES:
        raise UsageError(
            f"--faces {faces} is not between 1 and {MOST_FACES}", next_step="pass 8 or so"
        )
    engine = source.open()
    if source.checkpoint is not None:
        detector = load_detector(source.checkpoint).detector
    else:
        assert source.bundle is not None  # or it would not have been opened
        detector = detector_of(load_bundle(Path(source.bundle)))
    heat = HeatMaps(detector, engine.preprocess.size, method)
    backbone = str(detector.hparams["backbone"])
    return Explainer(engine, heat, backbone, faces, checks, seed)
