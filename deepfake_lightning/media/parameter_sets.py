"""What the packets of an H.264 or HEVC stream hold, which its container does not say."""

from __future__ import annotations

from typing import Any, NamedTuple

# Kinds of NAL units (ITU-T H.264 table 7-1, H.265 table 7-1): sequence parameter sets, and
# pictures at which decoding may begin afresh.
_SPS = {"h264": 7, "hevc": 33}
_FRESH = {"h264": frozenset({5}), "hevc": frozenset(range(16, 24))}


class Content(NamedTuple):
    """What a packet holds.

    Attributes:
        as_announced: its frame surely has the size and pixel format of the stream's header.
        fresh: decoding may begin with it.
    """

    as_announced: bool
    fresh: bool


class ParameterSets:
    """Looks into the packets of a stream for what counting them does not show.

    One is a change of frame size or pixel format, which is in a sequence parameter set: a
    decoder that expects the one of the header makes noise of the others. The other is a key
    frame in name only, from which the picture is refreshed over several frames. Packets of other
    codecs, and of streams without such a header, are never as announced, and fresh where they are
    key frames and their codec has no such frames.

    Args:
        context: PyAV's codec context of the stream, with the header's sets as extradata.
    """

    def __init__(self, context: Any) -> None:
        self._header = bytes(context.extradata or b"")
        self._codec = context.codec.canonical_name
        # Byte 4 of the H.264 record and byte 21 of the HEVC one end with the width of a length.
        place = 4 if self._codec == "h264" else 21
        known = self._codec in _SPS and len(self._header) > place and self._header[0] == 1
        self._width = (self._header[place] & 3) + 1 if known else 0

    def look_into(self, packet: Any) -> Content:
        """Return what ``packet`` holds."""
        if not self._width or packet.has_sidedata("new_extradata"):
            return Content(False, bool(packet.is_keyframe) and self._codec not in _FRESH)
        data = memoryview(packet)
        position = 0
        fresh, as_announced = False, True
        while position + self._width < len(data):
            start = position + self._width
            position = start + int.from_bytes(data[position:start])
            kind = data[start] & 31 if self._codec == "h264" else data[start] >> 1 & 63
            fresh = fresh or kind in _FRESH[self._codec]
            if kind == _SPS[self._codec] and bytes(data[start:position]) not in self._header:
                as_announced = False
        return Content(as_announced and position == len(data), fresh and bool(packet.is_keyframe))
