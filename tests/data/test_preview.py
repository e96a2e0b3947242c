"""What is shown of a data set."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_lightning import DeepfakeDataModule
from deepfake_lightning.data import blended_dataset
from deepfake_lightning.data.blending import FacePlace, SelfBlender
from deepfake_lightning.data.preview import preview, preview_pairs
from deepfake_lightning.errors import DataError


def module(root: Path, **options: Any) -> DeepfakeDataModule:
    return DeepfakeDataModule(str(root), image_size=64, sampling="even:2", **options)


def test_examples_of_each_label_plain_and_augmented(faces: Path) -> None:
    strips = preview(module(faces, crop_size=48), count=3, seed=0)
    assert [strip.name for strip in strips] == ["real", "fake"]
    for strip in strips:
        assert len(set(strip.names)) == 3
        assert strip.before.shape == (3, 64, 64, 3)
        assert strip.after is not None
        assert strip.after.shape == (3, 48, 48, 3)
    again = preview(module(faces, crop_size=48), count=3, seed=0)
    np.testing.assert_array_equal(again[0].before, strips[0].before)
    assert preview(module(faces), count=3, seed=1)[0].names != strips[0].names


def test_nothing_augmented_where_a_training_augments_nothing(faces: Path) -> None:
    assert preview(module(faces, augment=False), count=1, seed=0)[0].after is None


def test_clips_too_and_what_is_passed_over_is_named(portrait_clips: Path, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        real, fake = preview(module(portrait_clips), count=12, seed=0)
    assert len(real.before) == len(fake.before) == 12  # of 10 and 11 clips: some frames more
    assert "real/broken.mp4" in caplog.text
    assert "no face was found in real/none.mp4" in caplog.text


def test_nothing_to_show(tmp_path: Path) -> None:
    for name in ("real/a.jpg", "fake/b.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="nothing that can be shown"):
        preview(module(tmp_path), count=2, seed=0)


def test_pairs_of_real_faces_and_fakes_made_of_them(faces: Path, portrait_clips: Path) -> None:
    for root in (faces, portrait_clips):
        pairs = preview_pairs(module(root), count=3, seed=0)
        assert len(set(pairs.names)) == 3
        for pictures in (pairs.real, pairs.mask, pairs.fake):
            assert (pictures.shape, pictures.dtype) == ((3, 64, 64, 3), np.uint8)
        assert pairs.mask.any(axis=(1, 2, 3)).all()
        assert (pairs.real != pairs.fake).any(axis=(1, 2, 3)).all()
        again = preview_pairs(module(root), count=3, seed=0)
        np.testing.assert_array_equal(again.fake, pairs.fake)


def test_no_pairs_without_a_real_face(tmp_path: Path, write_picture: Any) -> None:
    write_picture(tmp_path / "fake/a.jpg", seed=0, fake=True)
    with pytest.raises(DataError, match="no real face"):
        preview_pairs(module(tmp_path), count=2, seed=0)


def test_faces_are_where_the_training_takes_them_to_be(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a training looks for faces in pictures, landmarks of the whole picture say nothing."""
    seen: list[Any] = []
    own = SelfBlender.pair
    monkeypatch.setattr(
        SelfBlender, "pair", lambda self, *given: seen.append(given[1]) or own(self, *given)
    )
    places = np.array([0.2, 0.2, 0.3, 0.3, 0.4, 0.3, 0.35, 0.35, 0.3, 0.4, 0.4, 0.4])
    monkeypatch.setattr(
        blended_dataset, "face_places", lambda _, rows, margin: np.stack([places] * len(rows))
    )
    for face, usual in (("auto", False), ("crop", True)):
        seen.clear()
        data = module(faces, face=face)
        monkeypatch.setattr(data, "reader", lambda: DeepfakeDataModule.reader(module(faces)))
        preview_pairs(data, count=2, seed=0)
        taken = FacePlace.usual(data.preprocess.margin)
        assert len(seen) == 2
        assert all(np.array_equal(place.points, taken.points) for place in seen) == usual
