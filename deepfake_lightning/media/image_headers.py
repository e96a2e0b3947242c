"""Width and height of a picture as its header says, before any pixel is decoded."""

from __future__ import annotations

import struct

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"

_NO_FRAME_HEADER = frozenset({0xC4, 0xC8, 0xCC})  # tables among the SOF markers
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SCAN = 0xDA
_TIFF_STARTS = {
    b"II*\0": ("<", False),
    b"MM\0*": (">", False),
    b"II+\0": ("<", True),
    b"MM\0+": (">", True),
}
_HARMLESS_CHUNK = 64 * 1024 * 1024  # bytes
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_ORIENTATION, _TIFF_EXTRA_SAMPLES = 256, 257, 274, 338
_MOST_TIFF_TAGS = 4096
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def starts_like_picture(head: bytes) -> bool:
    """Return whether 16 first bytes of a file are those of a JPEG, PNG, WebP, BMP or TIFF."""
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return webp or head.startswith((JPEG_START, PNG_START, b"BM", *_TIFF_STARTS))


def picture_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG, PNG, WebP, BMP or TIFF as stored; (0, 0) of all else."""
    try:
        if data.startswith(JPEG_START):
            return _jpeg_size(data)
        if data.startswith(PNG_START):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            width, height = _webp_size(data)
        elif data.startswith(b"BM"):
            core = struct.unpack_from("<I", data, 14)[0] == 12
            width, height = struct.unpack_from("<HH" if core else "<ii", data, 18)
        else:
            tags = _tiff_tags(data)
            width, height = tags.get(_TIFF_WIDTH, (0, 0))[0], tags.get(_TIFF_HEIGHT, (0, 0))[0]
    except struct.error:  # it ends before that
        return 0, 0
    return abs(width), abs(height)  # a BMP's height is negative when its rows begin at the top


def claims_too_much(data: bytes) -> bool:
    """Return whether a PNG's chunk claims more bytes than the file has, and more than is harmless.

    OpenCV allocates what a chunk claims before it reads it. Files that were cut short claim little
    more than they have; they are told by their missing end.
    """
    if not data.startswith(PNG_START):
        return False
    place = len(PNG_START)
    while place + 8 <= len(data):
        claimed = int.from_bytes(data[place : place + 4])
        if claimed > len(data) - place and claimed > _HARMLESS_CHUNK:
            return True
        if data[place + 4 : place + 8] == b"IEND":  # what follows is no part of the picture
            return False
        place += claimed + 12
    return False


def tiff_with_alpha(data: bytes) -> tuple[bytes, int] | None:
    """Return a TIFF that has samples beside its colours without its orientation, and that (1-8).

    None for all else.
    """
    if data[:4] not in _TIFF_STARTS:
        return None
    try:
        tags = _tiff_tags(data)
    except struct.error:
        return None
    if _TIFF_EXTRA_SAMPLES not in tags:
        return None
    if _TIFF_ORIENTATION not in tags:
        return data, 1
    value, place = tags[_TIFF_ORIENTATION]
    upright = struct.pack(_TIFF_STARTS[data[:4]][0] + "H", 1)
    return data[:place] + upright + data[place + 2 :], value


def jpeg_frame(data: bytes) -> int:
    """Return where a JPEG's frame header begins, after all thumbnails; its length without one."""
    position = 2 if data.startswith(JPEG_START) else len(data)
    while position + 9 <= len(data):
        if data[position] != 0xFF:  # decoders pass over stray bytes between segments
            position = data.find(b"\xff", position)
            if position < 0:
                break
            continue
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADER:
            return position
        if marker == _JPEG_SCAN:
            break
        if marker in (0xFF, 0x00):  # padding before a marker, or none at all
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return len(data)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = jpeg_frame(data)
    if position == len(data):
        return 0, 0
    height, width = struct.unpack_from(">HH", data, position + 5)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return the size from the first chunk (RFC 9649, sections 2.5 to 2.7)."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _tiff_tags(data: bytes) -> dict[int, tuple[int, int]]:
    """Return the first value of each tag of the first picture, and where it is.

    Nothing where a tag comes twice: readers do not agree which one counts. Values of other kinds
    than unsigned whole numbers are left out.

    Sources: TIFF 6.0, section 2; BigTIFF.
    """
    order, big = _TIFF_STARTS.get(data[:4], ("", False))
    if not order:
        return {}
    start = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    if start > len(data):
        return {}
    count = struct.unpack_from(order + ("Q" if big else "H"), data, start)[0]
    head, size = (8, 20) if big else (2, 12)
    tags: dict[int, tuple[int, int]] = {}
    if count > _MOST_TIFF_TAGS:
        return {}
    seen: set[int] = set()
    for number in range(count):
        entry = start + head + number * size
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in seen:
            return {}
        seen.add(tag)
        if kind in _TIFF_NUMBERS:
            place = entry + size // 2 + 2
            tags[tag] = struct.unpack_from(order + _TIFF_NUMBERS[kind], data, place)[0], place
    return tags
