"""Pictures whose statistics are drawn, and manifests of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from deepfake_lightning.schemas import Manifest


def draw(generator: np.random.Generator, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """Return a smooth scene of random brightness and contrast with random grain."""
    coarse = generator.integers(0, 256, (5, 5, 3)).astype(np.uint8)
    scene = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), float)
    scene = scene * generator.uniform(0.5, 0.8) + generator.uniform(10, 40)
    scene += generator.normal(0, generator.uniform(2, 6), scene.shape)
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def write_faces() -> Callable[..., Path]:
    """Return a function that writes ``real/`` and ``fake/``: 30 people, one of each, all alike.

    ``write_faces(root, fake={"quality": 60})`` saves the fakes otherwise: ``suffix``, ``size``,
    ``blur``, ``brighter`` or what Pillow's ``save`` takes.
    """

    def save(path: Path, image: Image.Image, how: dict[str, Any]) -> None:
        how = {"quality": 85, **how}
        image = image.filter(ImageFilter.GaussianBlur(how.pop("blur", 0)))
        brighter = how.pop("brighter", 0)
        image = image.point(lambda level: level + brighter)
        path = path.with_suffix(how.pop("suffix", ".jpg"))
        image.save(path, **how)

    def write(root: Path, *, fake: dict[str, Any] | None = None, people: int = 30) -> Path:
        generator = np.random.default_rng(people)
        for number in range(people):
            for name, how in (("real", {}), ("fake", dict(fake or {}))):
                (root / name).mkdir(parents=True, exist_ok=True)
                image = draw(generator, how.pop("size", (64, 64)))
                save(root / name / f"person{number}", image, how)
        return root

    return write


@pytest.fixture(scope="session")
def manifest_of() -> Callable[..., Manifest]:
    """Return a function that makes a manifest of rows: ``manifest_of(rows, root, policy=)``."""

    def make(rows: pd.DataFrame, root: Path = Path("root"), policy: str = "given") -> Manifest:
        columns = ["status", "method", "compression", "licence"]
        rows = rows.reindex(columns=[*rows.columns, *(c for c in columns if c not in rows)])
        rows = rows.astype({"label": "Int64", "split": "string", "status": "string"})
        return Manifest(rows, root, root / "manifest.csv", policy)

    return make
