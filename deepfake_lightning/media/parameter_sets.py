"""Whether an H.264 or HEVC stream is as simple as its container says."""

from __future__ import annotations

from typing import Any

# Kinds of NAL units (ITU-T H.264 table 7-1, H.265 table 7-1): sequence parameter sets, and
# pictures at which decoding may begin afresh.
_SPS = {"h264": 7, "hevc": 33}
_FRESH = {"h264": frozenset({5}), "hevc": frozenset(range(16, 24))}


class ParameterSets:
    """Watches the packets of a stream for what counting packets does not see.

    One is a change of frame size or pixel format, which is in a sequence parameter set: a
    decoder that expects the one of the header makes noise of the others. The other is a key
    frame in name only, from which the picture is refreshed over several frames.

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

    def kept_by(self, packet: Any) -> bool:
        """Return whether ``packet`` surely is as the header says; False for other codecs."""
        if not self._width or packet.has_sidedata("new_extradata"):
            return False
        data = memoryview(packet)
        position = 0
        fresh = not packet.is_keyframe
        while position + self._width < len(data):
            start = position + self._width
            position = start + int.from_bytes(data[position:start])
            kind = data[start] & 31 if self._codec == "h264" else data[start] >> 1 & 63
            fresh = fresh or kind in _FRESH[self._codec]
            if kind == _SPS[self._codec] and bytes(data[start:position]) not in self._header:
                return False
        return fresh and position == len(data)
