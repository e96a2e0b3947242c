"""What several tests share: small data sets and manifest rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent


def _picture(seed: int, fake: bool, size: int) -> NDArray[np.uint8]:
    """Return smooth random texture; fakes carry a fine grid on top, which can be learnt."""
    generator = np.random.default_rng([seed, fake])
    coarse = generator.integers(60, 190, (4, 4, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    image += generator.integers(-8, 9, image.shape, dtype=np.int16)
    if fake:
        image[::4] += 45
        image[:, ::4] += 45
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def write_picture() -> Callable[..., Path]:
    """Return a function that writes a textured picture: ``write_picture(path, seed=, fake=)``."""

    def write(path: Path, *, seed: int = 0, fake: bool = False, size: int = 48) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), _picture(seed, fake, size))
        return path

    return write


@pytest.fixture(scope="session")
def make_faces(write_picture: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes ``real/`` and ``fake/`` with one picture per person and class.

    ``make_faces(root, people=12, size=48)`` names them ``person0.jpg`` and so on; the fake of a
    person has the name of the real picture, so that both are one group.
    """

    def make(root: Path, *, people: int = 12, size: int = 48) -> Path:
        for person in range(people):
            for name in ("real", "fake"):
                path = root / name / f"person{person}.jpg"
                write_picture(path, seed=person, fake=name == "fake", size=size)
        return root

    return make


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory, make_faces: Callable[..., Path]) -> Path:
    """Return a folder with 40 real and 40 fake pictures of 40 people. Read it only."""
    return make_faces(tmp_path_factory.mktemp("data") / "faces", people=40)


@pytest.fixture(scope="session")
def dfdc_faces() -> Path:
    """Return the folder of real face crops beside the repository, or skip."""
    folder = ROOT.parent / "shared" / "data" / "dfdc_faces"
    if not (folder / "index.csv").is_file():
        pytest.skip("the DFDC face crops are not here")
    return folder


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., pd.DataFrame]:
    """Return a function that makes manifest rows: ``make_rows(4, split=[...], source_id=...)``.

    Without further columns every row is a labelled picture of its own group, classes in turn.
    """

    def make(count: int, **columns: object) -> pd.DataFrame:
        numbers = range(count)
        plain = {
            "path": [f"faces/{number}.jpg" for number in numbers],
            "label": [number % 2 for number in numbers],
            "media_type": "image",
            "video_id": [f"d/{number}" for number in numbers],
            "group_id": [f"g{number}" for number in numbers],
            "target_id": None,
            "source_id": None,
            "dataset": "d",
            "split": None,
            "frame": pd.array([None] * count, "Int64"),
            "track_id": pd.array([None] * count, "Int64"),
        }
        return pd.DataFrame({**plain, **columns}, index=numbers)

    return make
