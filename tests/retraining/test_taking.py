"""A crop is never cropped again, and a photograph is never taken for a crop."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from deepfake_lightning.media import read_image
from deepfake_lightning.monitoring.log import new_request_id
from deepfake_lightning.retraining.cutting import cut
from deepfake_lightning.retraining.erasing import remove, requests_of
from deepfake_lightning.retraining.new_items import NewItem
from deepfake_lightning.retraining.taking import NO_FACE, UNREADABLE, Takes
from deepfake_lightning.schemas import Extraction, Manifest, Preprocess

CROP, PHOTO = (new_request_id(1_800_000_000_000_000 + number) for number in range(2))


@pytest.fixture
def manifest(make_rows, tmp_path):
    """Return a function that gives a training's data: ``manifest(extraction)``."""

    def make(extraction=None):
        return Manifest(make_rows(4, status=None), tmp_path, tmp_path / "manifest.parquet", "given",
                        extraction)  # fmt: skip

    return make


@pytest.fixture(scope="module")
def portrait():
    """Return a photograph with a face, and the face cut out of it, BGR."""
    from skimage.data import astronaut

    photo = np.asarray(astronaut())[..., ::-1]
    return photo, photo[0:200, 120:320]


def item(key="a", media="a.jpg", **more):
    return NewItem(key, 1, "other", "image", 0, media, **{"request": True, **more})


MADE, WHOLE = Extraction(size=64), Extraction(faces=None)


@pytest.mark.parametrize(
    ("extraction", "face", "more", "way"),
    [
        (MADE, "auto", {}, "cut"),
        (MADE, "auto", {"already_cropped": True}, "whole"),
        (MADE, "auto", {"already_cropped": True, "media_type": "video"}, "whole"),
        (MADE, "auto", {"request": False}, "cut"),
        (WHOLE, "auto", {"already_cropped": True}, "cut"),  # which leaves its frames whole
        (None, "auto", {"already_cropped": True}, "as_it_is"),
        (None, "auto", {"already_cropped": False}, "cut"),
        (None, "auto", {"request": False}, "as_it_is"),
        (None, "auto", {"media_type": "video"}, "cut"),
        (None, "auto", {"already_cropped": True, "media_type": "video"}, "whole"),
        (None, "none", {"already_cropped": True}, "as_it_is"),
        (None, "crop", {}, "as_it_is"),
        (None, "crop", {"already_cropped": True}, None),  # the training would crop it again
    ],
)
def test_how_an_item_is_taken(manifest, tmp_path, extraction, face, more, way):
    takes = Takes(manifest(extraction), Preprocess(), face)
    found, why_not = takes.way(replace(item(), **more), tmp_path / "not looked at")
    assert found == way
    assert bool(why_not) == (way is None)


def test_what_nobody_said_is_seen(manifest, portrait, tmp_path):
    photo, face = portrait
    pictures = {"photo": photo, "face": face, "nobody": np.full((90, 90, 3), 128, np.uint8)}
    for name, picture in pictures.items():
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    (tmp_path / "text.png").write_text("no picture")
    takes = Takes(manifest(), Preprocess(input="crop"), "auto")
    found = {name: takes.way(item(), tmp_path / f"{name}.png") for name in (*pictures, "text")}
    assert found == {"photo": ("cut", ""), "face": ("as_it_is", ""), "nobody": (None, NO_FACE),
                     "text": (None, UNREADABLE)}  # fmt: skip


@pytest.mark.slow
def test_a_crop_stays_whole_and_both_are_erased(manifest, portrait, tmp_path):
    photo, face = portrait
    media = tmp_path / "loop" / "media"
    media.mkdir(parents=True)
    assert cv2.imwrite(str(media / f"{CROP}.png"), face)
    assert cv2.imwrite(str(media / f"{PHOTO}.png"), photo)
    items = [item(CROP, f"{CROP}.png", already_cropped=True), item(PHOTO, f"{PHOTO}.png")]
    rows, left_out = cut(items, manifest(MADE), Preprocess(), tmp_path / "loop", workers=1)
    assert not left_out
    of = rows.set_index("video_id")["path"]
    whole, cropped = of[f"retrain/{CROP}"], of[f"retrain/{PHOTO}"]
    assert whole.startswith(f"whole/frames/requests/{CROP}")
    assert cropped.startswith(f"cut/crops/requests/{PHOTO}")
    shown = read_image(tmp_path / "loop" / whole).astype(float)
    assert shown.shape == (64, 64, 3)
    wanted = cv2.resize(face[..., ::-1], (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shown - wanted).mean() < 12  # all of the crop, and not a part of it
    assert requests_of(tmp_path / "loop") == {CROP, PHOTO}
    assert remove(tmp_path / "loop", [CROP, PHOTO]) == 2
    assert not [path for path in (tmp_path / "loop").rglob("*") if CROP in path.name]
