"""Where a face is in its crop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.data.blending import FacePlace
from deepfake_lightning.data.blending.face_place import face_places, place_of
from deepfake_lightning.media import Face, crop_face
from deepfake_lightning.schemas import Extraction, FaceSearch, Manifest

Rows = Callable[..., pd.DataFrame]
POINTS = np.array([[100, 80], [150, 92], [121, 110], [100, 130], [140, 140]], np.float32)
BOX = (80.0, 50.0, 90.0, 120.0)
SIZE, MARGIN = 128, 1.4


def crops(make_rows: Rows, faces: FaceSearch | None, **columns: object) -> Manifest:
    rows = make_rows(1, **columns)
    extraction = Extraction(margin=MARGIN, size=SIZE, faces=faces)
    return Manifest(rows, Path("x"), Path("x"), extraction=extraction)


@pytest.mark.parametrize("align", [False, True])
def test_points_are_where_they_are_in_the_crop(make_rows: Rows, align: bool) -> None:
    frame = np.zeros((240, 240, 3), np.uint8)
    for x, y in POINTS.astype(int):
        frame[y - 2 : y + 3, x - 2 : x + 3] = 255
    crop = crop_face(frame, Face(BOX, POINTS, 1.0), margin=MARGIN, size=SIZE, align=align)
    box, landmarks = (
        ",".join(f"{value:g}" for value in values) for values in (BOX, POINTS.ravel())
    )
    manifest = crops(make_rows, FaceSearch(align=align), box=box, landmarks=landmarks)
    place = place_of(face_places(manifest, np.array([0]), MARGIN)[0], MARGIN)
    assert place.width == pytest.approx(90 / 168)
    assert place.height == pytest.approx(1 / MARGIN)
    for x, y in (place.points * SIZE).astype(int):
        assert crop[y, x].max() > 200
    assert (abs(place.roll) < 1e-3) == align


@pytest.mark.parametrize("landmarks", [None, "", "1,2,3", "a,b,c,d,e,f,g,h,i,j"])
def test_where_nothing_is_known_a_face_is_where_faces_are(
    make_rows: Rows, landmarks: str | None
) -> None:
    manifest = crops(make_rows, FaceSearch(), box="80,50,90,120", landmarks=landmarks)
    place = place_of(face_places(manifest, np.array([0]), MARGIN)[0], MARGIN)
    usual = FacePlace.usual(MARGIN)
    np.testing.assert_array_equal(place.points, usual.points)
    assert (place.height, place.roll) == (1 / MARGIN, 0)


def test_boxes_of_frames_that_nobody_cut_say_nothing(make_rows: Rows) -> None:
    columns = {"box": "80,50,90,120", "landmarks": "1,2,3,4,5,6,7,8,9,10"}
    whole = crops(make_rows, None, **columns)
    unknown = Manifest(make_rows(1, **columns), Path("x"), Path("x"))
    for manifest in (whole, unknown):
        assert np.isnan(face_places(manifest, np.array([0]), MARGIN)).all()


def test_a_usual_face_is_upright_and_in_the_middle() -> None:
    place = FacePlace.usual(2.0)
    right, left, nose, _, mouth = place.points
    assert right[0] < 0.5 < left[0]
    assert right[1] == left[1] < nose[1] < mouth[1]
    assert (np.abs(place.points - 0.5) < 0.25).all()  # in the box
