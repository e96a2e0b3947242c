"""What was decoded can be changed before faces are looked for: of pictures, frames and clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.inference import Engine
from deepfake_lightning.inference.engine import FramePicture
from deepfake_lightning.media import read_image


def darker(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    return np.asarray(image // 2, np.uint8)


def test_a_picture_is_changed_as_it_was_decoded(crop_engine: Engine, faces: Path) -> None:
    path = next((faces / "fake").glob("*.jpg"))
    plain = crop_engine.assess(path, already_cropped=True)
    same = crop_engine.assess(path, already_cropped=True, alter=lambda image, _: image)
    found = crop_engine.assess(path, already_cropped=True, alter=darker)
    assert same.logit == plain.logit != found.logit
    by_hand = crop_engine.logits([darker(read_image(path), 0)])
    assert found.logit is not None and abs(found.logit - float(by_hand[0])) < 1e-6


def test_frames_are_told_by_their_numbers(
    crop_engine: Engine, frame_engine: Engine, faces: Path, portrait_clips: Path
) -> None:
    told: list[int] = []

    def note(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        told.append(number)
        return image

    clip = portrait_clips / "fake" / "p0.mp4"
    plain, found = frame_engine.assess(clip), frame_engine.assess(clip, alter=note)
    assert found.logit == plain.logit and found.examined == plain.examined
    assert told == [face.frame for face in found.faces]  # the face is seen in each
    told.clear()
    pictures = [FramePicture(path) for path in sorted((faces / "real").glob("*.jpg"))[:3]]
    crop_engine.assess_frames(pictures, name="clip", already_cropped=True, alter=note)
    assert told == [0, 1, 2]


def test_a_face_that_is_not_found_any_more(frame_engine: Engine, photo: Callable[..., Any]) -> None:
    def gone(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        return np.zeros_like(image)

    assert frame_engine.assess(photo(1)).status == "ok"
    assert frame_engine.assess(photo(1), alter=gone).status == "no_face"
