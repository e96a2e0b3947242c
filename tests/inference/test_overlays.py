"""Pictures of items with what was found in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.inference import Engine, open_engine
from deepfake_lightning.inference.engine import FramePicture
from deepfake_lightning.inference.items import Archive, Item, read_inputs
from deepfake_lightning.inference.overlays import draw_media, overlay_path, write_overlay
from deepfake_lightning.media import read_image
from deepfake_lightning.schemas import Assessment, ScoredFace, ScoredTrack
from deepfake_lightning.schemas.calibration import ItemCalibration


@pytest.fixture(scope="module")
def engine(frame_bundle: Any) -> Engine:
    return open_engine(bundle=frame_bundle.folder)


@pytest.fixture(scope="module")
def crops(crop_bundle: Any) -> Engine:
    return open_engine(bundle=crop_bundle.folder)


def only(path: Path) -> Item:
    (item,) = Archive(read_inputs([str(path)]))
    return item


def draw(engine: Engine, item: Item, path: Path) -> np.ndarray:
    picture = item.pictures[0].path
    cropped = True if engine.preprocess.input == "crop" and item.media_type == "image" else None
    cropped = cropped or (True if engine.preprocess.input == "crop" and item.is_frames else None)
    found = (
        engine.assess_frames(item.pictures, name=item.name, already_cropped=cropped)
        if item.is_frames
        else engine.assess(picture, name=item.name, already_cropped=cropped)
    )
    assert found.status == "ok"
    write_overlay(path, item, found)
    return read_image(path)


def portrait(path: Path) -> Path:
    from skimage.data import astronaut

    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR))
    return path


def test_a_picture_with_a_box(engine: Engine, tmp_path: Path) -> None:
    path = portrait(tmp_path / "a.png")
    drawn = draw(engine, only(path), tmp_path / "drawn" / "a.png.jpg")
    plain = read_image(path)
    assert drawn.shape == plain.shape
    changed = np.abs(drawn.astype(int) - plain).max(axis=2) > 60
    x, y, _, height = map(int, engine.assess(path).faces[0].box or ())
    assert changed[y : y + height, x : x + 3].mean() > 0.2  # the left side of the box
    assert changed[height + y + 20 :].mean() < 0.01  # and the rest as it was


def test_a_clip_is_a_sheet_of_its_frames(
    engine: Engine, portrait_clips: Path, tmp_path: Path
) -> None:
    item = only(portrait_clips / "fake/two.mp4")
    drawn = draw(engine, item, tmp_path / "two.jpg")
    assert drawn.shape[1] == 1280
    assert drawn.shape[0] > 300
    assert (drawn[:4] > 240).all()  # white paper


def test_pictures_of_a_clip(
    crops: Engine, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    paths = [write_picture(tmp_path / f"{n}.jpg", seed=n) for n in range(9)]
    pictures = tuple(FramePicture(path, 0, 10 * n, 400 * n) for n, path in enumerate(paths))
    names = tuple(path.name for path in paths)
    item = Item("d/clip", "video", pictures, names, {}, is_frames=True)
    assert draw(crops, item, tmp_path / "sheet.jpg").shape[1] == 1280


def test_faces_of_a_picture_are_all_drawn(
    crops: Engine, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    paths = [write_picture(tmp_path / f"{n}.jpg", seed=n) for n in range(2)]
    pictures = tuple(FramePicture(path, n) for n, path in enumerate(paths))
    item = Item("d/a", "image", pictures, ("0.jpg", "1.jpg"), {}, is_frames=True)
    found = crops.assess_frames(pictures, name="d/a", media_type="image", already_cropped=True)
    write_overlay(tmp_path / "sheet.jpg", item, found)
    assert read_image(tmp_path / "sheet.jpg").shape[1] == 1280


def test_what_is_indicated_is_said_of_that_face(tmp_path: Path) -> None:
    """Of two people one is flagged, where the item is."""
    path = tmp_path / "two.png"
    assert cv2.imwrite(str(path), np.full((200, 400, 3), 120, np.uint8))
    boxes = ((40.0, 60.0, 100.0, 120.0), (260.0, 60.0, 100.0, 120.0))
    logits = (-4.0, 4.0)
    found = Assessment(
        "two", "ok", "v1", "image", logit=4.0, score=0.9, verdict="manipulation_indicated",
        tracks=tuple(ScoredTrack(n, logit, 1) for n, logit in enumerate(logits)),
        faces=tuple(ScoredFace(logits[n], n, box=boxes[n]) for n in range(2)),
    )  # fmt: skip
    fitted = ItemCalibration(temperature=2.0, indicated_from=1.0, clear_below=-1.0, items=9)
    write_overlay(tmp_path / "two.jpg", only(path), found, fitted)
    left, right = np.split(read_image(tmp_path / "two.jpg").astype(int), 2, axis=1)
    blue, orange = (0, 114, 178), (230, 159, 0)
    assert count(left, blue) > 200 and count(left, orange) == 0
    assert count(right, orange) > 200 and count(right, blue) == 0
    write_overlay(tmp_path / "plain.jpg", only(path), found)
    plain = read_image(tmp_path / "plain.jpg").astype(int)
    assert count(plain, orange) == count(plain, blue) == 0  # no verdict without a calibration


def count(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(image - colour).max(axis=2) < 40).sum())


def test_the_largest_pictures_are_drawn_smaller(crops: Engine, tmp_path: Path) -> None:
    """JPEG has no more than 65,535 pixels on a side; a score is not lost for that."""
    path = tmp_path / "wide.png"
    assert cv2.imwrite(str(path), np.full((40, 70_000, 3), 127, np.uint8))
    assert draw(crops, only(path), tmp_path / "wide.jpg").shape == (37, 65_500, 3)


@pytest.mark.parametrize("shape", [(2400, 4000, 3), (40, 70_000, 3)])
def test_what_is_sent_is_drawn_small(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    """Boxes are scaled along; the lines are those of a picture of that size."""
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full(shape, 120, np.uint8))
    box = (0.25 * shape[1], 0.25 * shape[0], 0.5 * shape[1], 0.5 * shape[0])
    found = Assessment("a", "ok", "v1", "image", logit=0.0, score=0.5,
                       tracks=(ScoredTrack(None, 0.0, 2),),
                       faces=(ScoredFace(0.0, box=box), ScoredFace(0.0)))  # fmt: skip
    scale = 2000 / shape[1]
    size = (int(shape[0] * scale), 2000)
    assert cv2.imwrite(str(tmp_path / "b.png"), np.full((*size, 3), 120, np.uint8))
    small = replace(found, faces=(replace(found.faces[0], box=tuple(scale * n for n in box)),
                                  found.faces[1]))  # fmt: skip
    drawn = draw_media(tmp_path / "a.png", "image", found, most=2000)
    assert drawn == draw_media(tmp_path / "b.png", "image", small)
    assert read_image(drawn).shape == (*size, 3)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.jpg", "a.jpg.jpg"),
        ("x/y/a.mp4", "x/y/a.mp4.jpg"),
        ("/data/a.jpg", "data/a.jpg.jpg"),
        ("../../a.jpg", "a.jpg-bafe3d6f12c81f19.jpg"),
        ("x/../../../etc/passwd", "x/etc/passwd-e76bfc0b9249957a.jpg"),
        ("./a.jpg", "a.jpg.jpg"),
        ("..", "unnamed-5ec1f7e700f37c3d.jpg"),
        ("/", "unnamed.jpg"),
        (".", "unnamed.jpg"),
        ("...", "unnamed-ab5df625bc76dbd4.jpg"),
        ("Ärger/日本🙂.mp4", "Ärger/日本🙂.mp4.jpg"),
        ("line\nbreak", "line\nbreak.jpg"),
    ],
)
def test_pictures_stay_in_their_folder(tmp_path: Path, name: str, place: str) -> None:
    assert overlay_path(tmp_path, name) == tmp_path / place


@pytest.mark.parametrize("name", ["x" * 255, "日" * 85, "a\0b", f"{'y' * 255}/{'x' * 251}.jpg"])
def test_names_that_a_disk_does_not_take_are_cut(
    crops: Engine, tmp_path: Path, write_picture: Callable[..., Path], name: str
) -> None:
    path = write_picture(tmp_path / "a.jpg")
    item = Item(name, "image", (FramePicture(path),), (name,), {})
    target = overlay_path(tmp_path / "drawn", name)
    draw(crops, item, target)
    assert target.is_file()
    assert overlay_path(tmp_path, name) == overlay_path(tmp_path, name)
    assert overlay_path(tmp_path, name) != overlay_path(tmp_path, f"{name}z")
    assert overlay_path(tmp_path, "x" * 254 + "y") != overlay_path(tmp_path, "x" * 254 + "z")
