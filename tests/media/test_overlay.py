"""Boxes and labels in pictures, and sheets of pictures, by their pixels."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from deepfake_lightning.media.overlay import draw_faces, sheet
from deepfake_lightning.schemas import ScoredFace

COLOURS = {True: (230, 159, 0), False: (0, 114, 178), None: (190, 190, 190)}
INKS = {True: (0, 0, 0), False: (255, 255, 255), None: (0, 0, 0)}
GROUND = 90
PICTURES = ((40, 160, 90), (170, 60, 130), (70, 90, 200), (200, 140, 60), (120, 40, 50))


def ground(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), GROUND, np.uint8)


def drawn(
    image: np.ndarray, *boxes: tuple[float, ...] | None, flag: bool | None = True
) -> np.ndarray:
    faces = [ScoredFace(0.0, box=box) for box in boxes]  # type: ignore[arg-type]
    return draw_faces(image, faces, scores=[0.93] * len(boxes), flagged=[flag] * len(boxes))


def where(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (image == colour).all(axis=2)


def label(height: int, width: int, flag: bool | None = True) -> np.ndarray:
    """Return the plate with its text, which lies above a box with enough room around it."""
    left, top = round(0.1 * width), round(0.5 * height)
    image = drawn(ground(height, width), (left, top, 0.3 * width, 0.3 * height), flag=flag)
    across = (image != GROUND).any(axis=2)
    # The edge of the box reaches above the box, but no further than a few pixels of its line.
    rows = np.flatnonzero(across[:top].any(axis=1))
    columns = np.flatnonzero(across[rows[0] : rows[0] + 3].any(axis=0))
    return image[rows[0] : top, columns[0] : columns[-1] + 1]


def take_out(image: np.ndarray, part: np.ndarray) -> bool:
    """Return whether a part is in the picture, pixel by pixel, and paint it over."""
    _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(image, part, cv2.TM_SQDIFF))
    place = image[top : top + len(part), left : left + part.shape[1]]
    found = np.array_equal(place, part)
    place[:] = GROUND
    return found


def luminance(colour: tuple[int, int, int]) -> float:
    """Return the relative luminance of WCAG 2.2."""
    levels = np.array(colour) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("flag", [True, False, None])
def test_the_box_is_where_the_face_is_and_of_the_colour_of_its_verdict(flag: bool | None) -> None:
    image = drawn(ground(400, 600), (200, 150, 100, 120), flag=flag)
    colour = where(image, COLOURS[flag])
    for row, column in ((150, 200), (150, 299), (269, 200), (269, 299)):  # each corner
        assert colour[row, column]
    assert colour[150:270, 200].sum() >= 60 and colour[269, 200:300].sum() >= 50
    # Nothing within the box, nor far away.
    assert (image[165:255, 215:285] == GROUND).all()
    assert (image[:, :150] == GROUND).all() and (image[300:] == GROUND).all()


def test_without_colours_the_lines_and_the_labels_still_differ() -> None:
    runs, widths = [], []
    for flag in (True, False, None):
        bottom = where(drawn(ground(400, 600), (200, 150, 100, 120), flag=flag), COLOURS[flag])[269]
        runs.append(ndimage.label(bottom)[1])
        widths.append(label(400, 600, flag).shape[1])
        assert 0.4 < bottom[200:300].mean() < 0.8 or runs[-1] == 1
    assert runs[0] == 1 < runs[1] < runs[2] / 1.5
    assert widths[0] > 1.2 * widths[2] > 1.2 * widths[1]  # 'fake 0.93', '? 0.93', '0.93'


@pytest.mark.parametrize("flag", [True, False, None])
def test_the_text_stands_out_from_its_plate(flag: bool | None) -> None:
    inside = label(400, 600, flag)[2:-2, 2:-2]
    assert where(inside, COLOURS[flag]).mean() > 0.4
    assert where(inside, INKS[flag]).mean() > 0.1
    light, dark = sorted((luminance(COLOURS[flag]), luminance(INKS[flag])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, level AA


@pytest.mark.parametrize("level", [0, 90, 128, 255])
@pytest.mark.parametrize("flag", [True, False, None])
def test_the_line_or_its_edge_stands_out_from_any_ground(level: int, flag: bool | None) -> None:
    image = drawn(np.full((400, 600, 3), level, np.uint8), (200, 150, 100, 120), flag=flag)
    below = luminance((level,) * 3) + 0.05
    ratios = []
    for colour in (COLOURS[flag], INKS[flag]):
        assert where(image[200:280], colour).any()
        ratio = (luminance(colour) + 0.05) / below
        ratios.append(max(ratio, 1 / ratio))
    assert max(ratios) >= 3  # WCAG 2.2, for graphics


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 90, 100), (510, 0, 90, 100), (0, 300, 90, 100), (510, 300, 90, 100),
        (-40, 150, 90, 100), (560, 150, 90, 100), (250, -50, 90, 100), (250, 350, 90, 100),
        (-50, -50, 700, 500), (0, 0, 600, 400), (-200, -200, 90, 100), (900, 700, 90, 100),
        (-1e9, -1e9, 2e9, 2e9), (250.4, 150.6, 0.2, 0.1),
    ],
)  # fmt: skip
def test_a_label_is_whole_wherever_the_box_is(box: tuple[float, float, float, float]) -> None:
    for flag in (True, False, None):
        image = drawn(ground(400, 600), box, flag=flag)
        assert image.shape == (400, 600, 3)
        assert take_out(image, label(400, 600, flag))


def test_a_box_beyond_the_picture_is_closed_along_its_border() -> None:
    colour = where(drawn(ground(400, 600), (-40, 150, 140, 120)), COLOURS[True])
    assert colour[150:270, 0].all() and colour[150:270, 99].all()
    assert colour[150, :100].all() and colour[269, :100].all()


def test_without_a_box_the_whole_picture_is_framed() -> None:
    colour = where(drawn(ground(400, 600), None), COLOURS[True])
    assert colour[-1].all() and colour[:, -1].all() and colour[399, 0]


@pytest.mark.parametrize(
    "height,width", [(32, 32), (64, 48), (200, 200), (720, 1280), (4000, 3000)]
)
def test_lines_and_text_grow_with_the_picture(height: int, width: int) -> None:
    box = (0.3 * width, 0.4 * height, 0.3 * width, 0.3 * height)
    image = drawn(ground(height, width), box)
    colour = where(image, COLOURS[True])
    middle = colour[round(0.55 * height)]
    line = int(middle[: width // 2].sum())
    assert line == max(1, round(0.0075 * np.sqrt(height * width)))
    part = label(height, width)
    assert take_out(image, part)
    assert where(part, INKS[True]).sum() >= 15
    if min(height, width) >= 200:
        assert 0.03 < len(part) / np.sqrt(height * width) < 0.1


def test_the_picture_stays_as_it_was() -> None:
    image = skimage.data.astronaut()
    before = image.copy()
    result = drawn(image[:, ::-1], (20, 20, 100, 100), (300, 30, 50, 60))
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(result, image)
    assert result.dtype == np.uint8 and result.flags.writeable
    read_only = image.copy()
    read_only.flags.writeable = False
    assert (drawn(read_only, (20, 20, 100, 100)) != image).any()
    np.testing.assert_array_equal(drawn(image), image)  # no faces


def test_labels_of_faces_side_by_side_do_not_cover_each_other() -> None:
    flags = [True, False, True, None]
    faces = [ScoredFace(0.0, box=(100 + 70 * k, 300, 60, 80)) for k in range(4)]
    image = draw_faces(ground(600, 800), faces, scores=[0.93] * 4, flagged=flags)
    for flag in flags:
        assert take_out(image, label(600, 800, flag))


def test_what_is_indicated_lies_on_top() -> None:
    faces = [ScoredFace(0.0, box=(200, 150, 100, 120))] * 2
    image = draw_faces(ground(400, 600), faces, scores=[0.9, 0.1], flagged=[True, False])
    assert where(image, COLOURS[True])[150:270, 200].all()


def test_each_face_needs_a_score_and_a_flag() -> None:
    faces = [ScoredFace(0.0, box=(20, 20, 30, 30))] * 2
    with pytest.raises(ValueError):
        draw_faces(ground(90, 90), faces, scores=[0.5], flagged=[True, False])
    with pytest.raises(ValueError):
        draw_faces(ground(90, 90), faces, scores=[0.5, 0.5], flagged=[True])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 90), st.integers(1, 90),
    st.lists(
        st.tuples(
            st.tuples(*[st.floats(-200, 200)] * 2, *[st.floats(0, 300)] * 2),
            st.floats(0, 1), st.sampled_from([True, False, None]),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_any_boxes_can_be_drawn(height: int, width: int, marks: list) -> None:
    faces = [ScoredFace(0.0, box=box) for box, _, _ in marks]
    image = draw_faces(
        ground(height, width), faces, scores=[m[1] for m in marks], flagged=[m[2] for m in marks]
    )
    assert (image.shape, image.dtype) == ((height, width, 3), np.uint8)


def plain(*sizes: tuple[int, int]) -> list[np.ndarray]:
    """Return pictures of one colour each, of the heights and widths given."""
    return [
        np.full((*size, 3), np.add(PICTURES[k % 5], k // 5), np.uint8)
        for k, size in enumerate(sizes)
    ]


SIZES = [(480, 640), (900, 500), (50, 40), (64, 300), (1080, 1920), (224, 224), (20, 20), (700, 90),
         (300, 300)]  # fmt: skip


@pytest.mark.parametrize("count", [1, 5, 9])
@pytest.mark.parametrize("width", [400, 1280, 1999])
def test_a_sheet_shows_every_picture_whole_and_apart(count: int, width: int) -> None:
    pictures = plain(*SIZES[:count])
    result = sheet(pictures, [f"{k} s" for k in range(count)], "a clip", width=width)
    assert result.dtype == np.uint8 and result.shape[1] == width
    areas = []
    for picture in pictures:
        found = where(result, tuple(int(level) for level in picture[0, 0]))
        ((rows, columns),) = ndimage.find_objects(found.astype(int))
        assert found[rows, columns].all()  # nothing lies on it
        height, across = rows.stop - rows.start, columns.stop - columns.start
        scale = max(height / picture.shape[0], across / picture.shape[1])
        assert height == pytest.approx(scale * picture.shape[0], abs=2)
        assert across == pytest.approx(scale * picture.shape[1], abs=2)
        assert columns.start > 0 and columns.stop < width
        areas.append((rows, columns))
    # In the order of reading.
    for (rows, columns), (next_rows, next_columns) in pairwise(areas):
        assert next_columns.start >= columns.stop or next_rows.start >= rows.stop


def ink(image: np.ndarray) -> np.ndarray:
    return (image < 200).all(axis=2)


def test_captions_lie_under_their_pictures_and_the_title_above() -> None:
    pictures = plain((100, 160), (100, 160))
    result = sheet(pictures, ["first", ""], "A title", width=640)
    found = [where(result, PICTURES[k]) for k in range(2)]
    (first,), (second,) = (ndimage.find_objects(mask.astype(int)) for mask in found)
    assert ink(result[: first[0].start]).any()
    below = result[first[0].stop :]
    assert ink(below[:, first[1]]).any() and not ink(below[:, second[1]]).any()
    assert ink(below).sum() == ink(below[:, first[1]]).sum()


def test_long_text_is_broken_and_ends_in_an_ellipsis_within_the_sheet() -> None:
    pictures = plain((90, 90), (90, 90))
    for text in ("word " * 300, "x" * 900, "one\ntwo\nthree\nfour"):
        result = sheet(pictures, [text, ""], text, width=640)
        dark = ink(result)
        assert not dark[:, :5].any() and not dark[:, -5:].any() and not dark[-5:].any()
        assert len(result) < 640
        (second,) = ndimage.find_objects(where(result, PICTURES[1]).astype(int))
        assert not dark[second[0].stop :, 325:].any()  # not under the neighbour


def title(text: str) -> np.ndarray:
    """Return the ink of a title, without the white around it."""
    result = sheet(plain((40, 40)), [""], text, width=400)
    (picture,) = ndimage.find_objects(where(result, PICTURES[0]).astype(int))
    dark = ink(result[: picture[0].start])
    ((rows, columns),) = ndimage.find_objects(dark.astype(int))
    return dark[rows, columns]


def test_accents_and_dashes_are_drawn_and_what_the_font_lacks_is_a_question_mark() -> None:
    assert title("é").shape[0] > title("e").shape[0]
    assert title("\u2013").shape[1] > title("-").shape[1]
    for text in ("é", "\u2013", "Ł", "ж", "ß"):
        assert title(text).shape != title("?").shape or (title(text) != title("?")).any()
    np.testing.assert_array_equal(title("e\u0301"), title("é"))  # as macOS writes file names
    # Invisible characters that turn the direction of text, and bytes that are no text.
    for text in ("日", "\U0001f9ff", "\u202e", "\x07", "\udc80"):
        np.testing.assert_array_equal(title(text), title("?"))


def test_a_sheet_needs_pictures_a_caption_for_each_and_some_width() -> None:
    with pytest.raises(ValueError):
        sheet([], [], "nothing")
    with pytest.raises(ValueError):
        sheet(plain((9, 9), (9, 9)), ["one"], "")
    with pytest.raises(ValueError):
        sheet(plain((9, 9)), [""], "", width=20)
    assert sheet(plain((9, 9), (1, 500), (500, 1), (1, 1)), [""] * 4, "", width=64).shape[1] == 64


def test_pictures_of_a_sheet_stay_as_they_were() -> None:
    image = skimage.data.astronaut()
    before = image.copy()
    result = sheet([image], ["one"], "one", width=512 + 2 * 8)
    np.testing.assert_array_equal(image, before)
    found = cv2.matchTemplate(result, image, cv2.TM_SQDIFF)
    assert found.min() == 0  # at its own size it is shown pixel by pixel
