"""The same content on two sides: byte for byte, and re-encoded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.data.audit import Finding, audit
from deepfake_lightning.data.audit.fingerprints import RADIUS, fingerprint, near_pairs
from deepfake_lightning.schemas import Manifest

Rows = Callable[..., pd.DataFrame]
Make = Callable[..., Manifest]
Audited = Callable[[], dict[str, Finding]]
COUNT = 12
SPLITS = ["train"] * 6 + ["val"] * 3 + ["test"] * 3


def scene(seed: int, side: int = 96) -> np.ndarray:
    """Return a picture with detail of every size, as photographs have it (power of 1/f squared)."""
    generator = np.random.default_rng(seed)
    image = np.full((side, side, 3), 128.0)
    for cells, strength in ((3, 40), (6, 25), (12, 15), (24, 8), (48, 4)):
        coarse = generator.normal(0, strength, (cells, cells, 3))
        image += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(COUNT):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), scene(number))
    return tmp_path


@pytest.fixture
def audited(folder: Path, make_rows: Rows, manifest_of: Make) -> Audited:
    """Return a function that audits the folder, with the kinds of its leaks."""

    def run() -> dict[str, Finding]:
        rows = make_rows(COUNT, path=[f"{n}.jpg" for n in range(COUNT)], split=SPLITS)
        report = audit(manifest_of(rows, folder), workers=1)
        return {one.kind: one for one in report.of("error")}

    return run


def test_different_pictures_are_clean(audited: Audited) -> None:
    assert audited() == {}


def test_a_file_in_train_and_test(folder: Path, audited: Audited) -> None:
    shutil.copy(folder / "1.jpg", folder / "11.jpg")  # both fake
    found = audited()
    assert set(found) == {"same_content"}
    assert found["same_content"].evidence["examples"] == [["1.jpg", "11.jpg"]]
    assert found["same_content"].evidence["splits"] == {"test and train": 1}


def test_a_file_with_two_labels_in_one_split(folder: Path, audited: Audited) -> None:
    shutil.copy(folder / "0.jpg", folder / "1.jpg")
    found = audited()
    assert set(found) == {"label_conflict"}
    assert "0.jpg and 1.jpg" in found["label_conflict"].what


def test_val_is_test(folder: Path, audited: Audited) -> None:
    for val, test in ((6, 10), (7, 9), (8, 11)):
        shutil.copy(folder / f"{val}.jpg", folder / f"{test}.jpg")
    found = audited()
    assert "val_is_test" in found
    assert "100%" in found["val_is_test"].what


@pytest.mark.parametrize("quality", [95, 50])
@pytest.mark.parametrize("size", [96, 48, 140])
def test_a_copy_that_was_saved_again(
    folder: Path, audited: Audited, quality: int, size: int
) -> None:
    image = cv2.resize(cv2.imread(str(folder / "3.jpg")), (size, size))
    cv2.imwrite(str(folder / "9.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    found = audited()
    assert set(found) == {"near_copy"}
    assert found["near_copy"].evidence["examples"][0][:2] == ["3.jpg", "9.jpg"]


def test_flat_pictures_look_like_nothing() -> None:
    assert fingerprint(np.full((80, 80), 17, np.uint8)) is None


def test_every_near_pair_is_found() -> None:
    generator = np.random.default_rng(0)
    left = generator.integers(0, 2**63, (2100, 4)).astype(np.uint64)
    right = left[[5, 2000, 77]].copy()
    right[0, 3] ^= np.uint64(0b111)
    right[1, 0] ^= np.uint64(2**RADIUS - 1)
    right[2, 1] ^= np.uint64(2 ** (RADIUS + 1) - 1)  # one bit too far
    assert near_pairs(left, right).tolist() == [[5, 0, 3], [2000, 1, RADIUS]]


def test_real_people_are_no_copies(dfdc_faces: Path) -> None:
    """What the radius rests on: 3,000 real faces of different clips, 4.5 million pairs."""
    paths = sorted((dfdc_faces / "real").iterdir())[:3000]
    prints = [fingerprint(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in paths]
    stack = np.array([one for one in prints if one is not None])
    pairs = near_pairs(stack, stack)
    assert (pairs[:, 0] == pairs[:, 1]).sum() == len(stack) == 3000
    assert len(pairs) == len(stack)
