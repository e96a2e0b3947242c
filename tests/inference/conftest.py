"""Engines, and media with what is known of them."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from deepfake_lightning.inference import Engine, open_engine
from deepfake_lightning.media import open_video
from deepfake_lightning.schemas import Calibration

_MEDIA = runpy.run_path(str(Path(__file__).parents[1] / "media" / "conftest.py"))
clip = _MEDIA["clip"]  # the damaged clips


@pytest.fixture(scope="session")
def crop_engine(crop_bundle: Any) -> Engine:
    """Return an ONNX engine that takes pictures for face crops."""
    return open_engine(crop_bundle.folder)


@pytest.fixture(scope="session")
def frame_engine(frame_bundle: Any) -> Engine:
    """Return an ONNX engine that looks for faces in pictures."""
    return open_engine(frame_bundle.folder)


@pytest.fixture(scope="session")
def remake() -> Callable[..., Engine]:
    """Return a function that gives an engine with another calibration or preprocessing."""

    def make(engine: Engine, calibration: Calibration | None = None, **preprocess: Any) -> Engine:
        how = type(engine.preprocess).model_validate({**engine.preprocess.to_dict(), **preprocess})
        return Engine(
            engine.runtime, how, calibration or Calibration(), version=engine.version,
            digest=engine.digest,
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def photo(
    tmp_path_factory: pytest.TempPathFactory, make_portrait_clip: Callable[..., Path]
) -> Callable[[int], Path]:
    """Return a function that gives a photo with so many faces: ``photo(2)``."""
    folder = tmp_path_factory.mktemp("photos")

    def get(faces: int) -> Path:
        path = folder / f"{faces}.png"
        if not path.exists():
            clip = make_portrait_clip(folder / f"{faces}.mp4", frames=1, faces=faces, seed=3)
            with open_video(clip) as video:
                image = next(iter(video.read([0]))).image
            assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return path

    return get
