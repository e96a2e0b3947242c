"""A bundle and media in, a verdict out: one engine for ``predict``, the server and all else.

On the ONNX path nothing of torch, lightning or albumentations is imported, and no web framework.

Example:
    >>> engine = open_engine(bundle=Path("mlops/runs/demo/v1.0.0/bundle"))  # doctest: +SKIP
    >>> engine.assess(Path("clip.mp4")).score  # doctest: +SKIP
"""

from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.opening import EngineSource, open_engine
from deepfake_lightning.inference.runtime import Runtime

__all__ = ["Engine", "EngineSource", "Runtime", "open_engine"]
