"""Pictures for people to look at: scored faces marked in a frame, and a sheet of such frames."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deepfake_lightning.schemas import ScoredFace

Colour = tuple[int, int, int]
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_TITLE, _CAPTION = (25, 25, 25), (70, 70, 70)


class _Look(NamedTuple):
    """How a verdict is shown.

    Attributes:
        colour: of the line, and of the plate under the label.
        ink: of the text, and of the edge of the line.
        weight: width of the line, times that of others.
        dashes: length of a dash and of a gap in widths of the line; None for a solid line.
        label: the text, with ``{}`` for the score.
    """

    colour: Colour
    ink: Colour
    weight: float
    dashes: tuple[int, int] | None
    label: str


# Colours that the colour-blind can tell apart (Okabe and Ito 2008, "Color universal design"). The
# line and the label say the same, for prints in grey.
_LOOKS: dict[bool | None, _Look] = {
    True: _Look((230, 159, 0), _BLACK, 1.5, None, "fake {}"),
    False: _Look((0, 114, 178), _WHITE, 1, (5, 3), "{}"),
    None: _Look((190, 190, 190), _BLACK, 1, (2, 2), "? {}"),
}


class _Area(NamedTuple):
    """Columns and rows of a picture; the last ones are not part of it."""

    left: int
    top: int
    right: int
    bottom: int

    def overlap(self, other: _Area) -> int:
        """Return how many pixels are part of both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, width) * max(0, height)

    def grown(self, by: int) -> _Area:
        """Return it with a border around it."""
        return _Area(self.left - by, self.top - by, self.right + by, self.bottom + by)


def draw_faces(
    image: NDArray[np.uint8],
    faces: Sequence[ScoredFace],
    *,
    scores: Sequence[float],
    flagged: Sequence[bool | None],
) -> NDArray[np.uint8]:
    """Return the picture with a box and a label for each face.

    A face for which manipulation is indicated has an orange box with a solid line and ``fake``
    before its score, one without indication a blue box with dashes, and one without a verdict a
    grey box with short dashes and ``?`` before it. Boxes are clipped at the border of the picture;
    without a box the whole picture is framed. Lines and text grow with the picture.

    Args:
        image: uint8 [H, W, 3], RGB; it stays as it is.
        faces: with boxes in pixels of ``image``.
        scores: of each face, the probability of fake, 0 to 1.
        flagged: for each face, whether manipulation is indicated; None where nothing is said.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ValueError: there is not one score and one flag for each face.
    """
    height, width = image.shape[:2]
    canvas = image.copy()
    marks = [
        (_clipped(face.box, width, height), _LOOKS[flag], score)
        for face, score, flag in zip(faces, scores, flagged, strict=True)
    ]
    # What is indicated comes last, on top of the rest, and labels come on top of the boxes.
    marks.sort(key=lambda mark: mark[1] is _LOOKS[True])
    scale = math.sqrt(height * width)
    line = 0.005 * scale
    for area, look, _ in marks:
        _outline(canvas, area, look, max(1, round(line * look.weight)))
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    taken = [area for area, _, _ in marks]
    for area, look, score in reversed(marks):
        text, font = _fitting(look.label, f"{score:.2f}", round(0.036 * scale), width, height)
        others = [other for other in taken if other is not area]
        plate = _place(area, _plate_size(text, font), width, height, others)
        taken.append(plate)
        edge = max(1, round(line / 3))
        pen.rectangle(_corners(plate), fill=look.colour, outline=look.ink, width=edge)
        middle = ((plate.left + plate.right) / 2, (plate.top + plate.bottom) / 2)
        _centre(pen, middle, text, font, look.ink)
    return np.array(picture, np.uint8)


def _clipped(box: tuple[float, float, float, float] | None, width: int, height: int) -> _Area:
    """Return the part of a box within the picture, of one pixel at least."""
    if box is None:
        return _Area(0, 0, width, height)
    left = min(max(round(box[0]), 0), width - 1)
    top = min(max(round(box[1]), 0), height - 1)
    right = min(max(round(box[0] + box[2]), left + 1), width)
    bottom = min(max(round(box[1] + box[3]), top + 1), height)
    return _Area(left, top, right, bottom)


def _outline(canvas: NDArray[np.uint8], area: _Area, look: _Look, line: int) -> None:
    """Draw a box along the inside of an area, with an edge that sets it off from any ground."""
    edge = max(1, line // 3)
    dashes = []
    for start, end in _dashes(area.left, area.right, look.dashes, line):
        dashes.append(_Area(start, area.top, end, area.top + line))
        dashes.append(_Area(start, area.bottom - line, end, area.bottom))
    for start, end in _dashes(area.top, area.bottom, look.dashes, line):
        dashes.append(_Area(area.left, start, area.left + line, end))
        dashes.append(_Area(area.right - line, start, area.right, end))
    # All edges first: no dash is cut by the edge of another.
    for dash in dashes:
        _fill(canvas, dash.grown(edge), look.ink)
    for dash in dashes:
        _fill(canvas, dash, look.colour)


def _dashes(
    start: int, end: int, dashes: tuple[int, int] | None, line: int
) -> list[tuple[int, int]]:
    """Return where the dashes of a line begin and end; there is one at each of its ends."""
    if dashes is None:
        return [(start, end)]
    on, off = (line * length for length in dashes)
    count = round((end - start - on) / (on + off))
    if count < 1:
        return [(start, end)]
    return [(round(at), round(at) + on) for at in np.linspace(start, end - on, count + 1)]


def _fill(canvas: NDArray[np.uint8], area: _Area, colour: Colour) -> None:
    left, top = max(0, area.left), max(0, area.top)
    canvas[top : max(0, area.bottom), left : max(0, area.right)] = colour


def _fitting(
    label: str, number: str, size: int, width: int, height: int
) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return the label in the largest text that fits the picture; in a tiny one, the number."""
    sizes = [(label.format(number), points) for points in range(max(size, 11), 7, -1)]
    sizes += [(number, points) for points in range(11, 4, -1)]
    for text, points in sizes:
        font = _font(points, bold=True)
        across, down = _plate_size(text, font)
        if across <= width and down <= height:
            break
    return text, font


def _plate_size(text: str, font: ImageFont.FreeTypeFont) -> tuple[int, int]:
    left, top, right, bottom = font.getbbox(text)
    pad = max(1, round(font.size / 4))
    return math.ceil(right - left) + 2 * pad, math.ceil(bottom - top) + 2 * pad


def _place(
    area: _Area, size: tuple[int, int], width: int, height: int, others: Sequence[_Area]
) -> _Area:
    """Return where a label covers the least of the other faces and labels.

    Above its box is tried first, then below, and last inside; from its left side on, then up to
    its right side.
    """
    across, down = size
    places = []
    for top in (area.top - down, area.bottom, area.top, area.bottom - down):
        within = max(0, min(top, height - down))
        if top not in (within, area.top):
            continue
        for side in (area.left, area.right - across):
            left = max(0, min(side, width - across))
            places.append(_Area(left, within, left + across, within + down))
    return min(places, key=lambda place: sum(place.overlap(other) for other in others))


def _corners(area: _Area) -> tuple[int, int, int, int]:
    """Return the first and last pixel, as Pillow has it."""
    return (area.left, area.top, area.right - 1, area.bottom - 1)


def _centre(
    pen: ImageDraw.ImageDraw,
    middle: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont,
    colour: Colour,
) -> None:
    """Write text about a point: its ink, whatever room the font leaves around it."""
    left, top, right, bottom = font.getbbox(text)
    at = (round(middle[0] - (left + right) / 2), round(middle[1] - (top + bottom) / 2))
    pen.text(at, text, fill=colour, font=font)


def sheet(
    pictures: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    title: str,
    *,
    width: int = 1280,
) -> NDArray[np.uint8]:
    """Return pictures in a grid, each with its caption, under a title.

    Pictures are fitted into cells of one size and keep their proportions; small ones grow to
    three times their size at most. What has no room in three lines of text ends in an ellipsis, and
    characters that the font lacks become ``?``.

    Args:
        pictures: uint8 [H, W, 3], RGB, of any sizes.
        captions: of each picture.
        title: of all.
        width: of the sheet, 64 pixels or more.

    Returns:
        uint8 [H, width, 3], RGB; the height follows from the pictures.

    Raises:
        ValueError: there is no picture, not one caption for each, or the sheet is too narrow.
    """
    if not pictures or width < 64:
        raise ValueError("a sheet needs a picture and a width of 64 pixels or more")
    count, gap = len(pictures), max(4, width // 64)
    columns = min(count if count <= 3 else math.ceil(math.sqrt(count)), max(1, width // 120))
    cell = (width - gap * (columns + 1)) // columns
    font, small = _font(max(12, width // 45), bold=True), _font(max(10, width // 75))
    heading = _wrapped(title, font, width - 2 * gap)
    images = [_fitted(picture, cell) for picture in pictures]
    texts = [_wrapped(caption, small, cell) for caption in captions]
    cells = list(zip(images, texts, strict=True))
    rows = [cells[start : start + columns] for start in range(0, count, columns)]
    below = [max(len(image) for image, _ in row) + gap // 3 for row in rows]
    ends = [
        down + max(_height(text, small) for _, text in row) + gap
        for row, down in zip(rows, below, strict=True)
    ]
    top = _height(heading, font) + 2 * gap
    canvas = Image.new("RGB", (width, top + sum(ends)), _WHITE)
    pen = ImageDraw.Draw(canvas)
    pen.multiline_text((gap, gap), heading, fill=_TITLE, font=font)
    for row, down, end in zip(rows, below, ends, strict=True):
        for column, (image, text) in enumerate(row):
            middle = gap + column * (cell + gap) + cell // 2
            at = (middle - image.shape[1] // 2, top + down - gap // 3 - len(image))
            canvas.paste(Image.fromarray(image), at)
            here = (middle, top + down)
            pen.multiline_text(here, text, fill=_CAPTION, font=small, anchor="ma", align="center")
        top += end
    return np.array(canvas, np.uint8)


def _fitted(picture: NDArray[np.uint8], cell: int) -> NDArray[np.uint8]:
    """Return a picture that fits a square cell, its proportions kept."""
    height, width = picture.shape[:2]
    scale = min(cell / width, cell / height, 3)
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    flag = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=flag), np.uint8)


def _height(text: str, font: ImageFont.FreeTypeFont) -> int:
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    return math.ceil(pen.multiline_textbbox((0, 0), text or " ", font=font)[3])


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int, most: int = 3) -> str:
    """Return text in lines that fit a width, broken at spaces where there are some."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        rest = _printable(paragraph, font).strip()
        while rest:
            end = _room(rest, font, width)
            space = rest.rfind(" ", 0, end + 1)
            if end < len(rest) and space > 0:
                end = space
            lines.append(rest[:end].rstrip())
            rest = rest[end:].lstrip()
    if len(lines) > most:
        last = lines[most - 1]
        lines[most - 1 :] = [last[: _room(last, font, width - font.getlength("…"))] + "…"]
    return "\n".join(lines)


def _room(text: str, font: ImageFont.FreeTypeFont, width: float) -> int:
    """Return how many characters fit a width, one at least."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def _printable(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Return text in which what the font cannot show, or what is invisible, is ``?``."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(character if _has(font, character) else "?" for character in composed)


@lru_cache(maxsize=4096)
def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    # U+FFFF is no character: a font shows for it what it shows for all that it lacks.
    shown, missing = font.getmask(character), font.getmask("\uffff")
    return character.isprintable() and (
        (shown.size, bytes(shown)) != (missing.size, bytes(missing))
    )


@lru_cache(maxsize=64)
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib; the font within Pillow has no accents."""
    import matplotlib  # only where something is drawn

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(str(matplotlib.get_data_path())) / "fonts" / "ttf" / name
    # The same layout wherever it runs: others depend on a library of the system.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
