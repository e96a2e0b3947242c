"""Opening a clip without trusting it: what is checked first, and what is wrong with it if not."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av

from deepfake_lightning.errors import MediaError, MediaLimitError
from deepfake_lightning.media.limits import Limits

# Play lists and concatenation scripts make a demuxer open other files and addresses, so only
# containers that hold their own pictures are let in, and only plain files.
_CONTAINERS = "mov,matroska,avi,mpeg,mpegvideo,mpegts,asf,flv,ogg,h264,hevc,m4v,obu,ivf"
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_CONTAINER_STARTS = (b"\x1aE\xdf\xa3", b"RIFF", b"\x30\x26\xb2\x75", b"FLV", b"OggS", b"\0\0\1\xba")
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_STREAM_STARTS = (b"\0\0\1", b"\0\0\0\1", b"DKIF", b"\x12\0")  # MPEG, H.264, HEVC, IVF, AV1
_TS_PACKET, _M2TS_PACKET = 188, 192


def starts_like_video(head: bytes) -> bool:
    """Return whether first bytes of a file (200 or more of them tell best) may be a video's."""
    riff = head.startswith(b"RIFF") and head[8:11] == b"AVI"
    if riff or head[4:8] in _FIRST_BOXES or head.startswith(_STREAM_STARTS):
        return True
    if head[:1] == b"G" and head[_TS_PACKET : _TS_PACKET + 1] == b"G":
        return True
    if head[4:5] == b"G" and head[4 + _M2TS_PACKET : 5 + _M2TS_PACKET] == b"G":
        return True
    return head.startswith(_CONTAINER_STARTS) and not head.startswith(b"RIFF")


@dataclass(frozen=True)
class VideoSource:
    """A clip as a file or as bytes, with the bounds on reading it.

    Attributes:
        content: where it is, or all of it.
        limits: bounds.
    """

    content: Path | bytes
    limits: Limits

    @property
    def name(self) -> str:
        """What messages call it: the path, or ``the upload``."""
        return "the upload" if isinstance(self.content, bytes) else str(self.content)

    def open_file(self) -> BinaryIO:
        """Return the raw bytes as a stream."""
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open("rb")

    def size(self) -> int:
        """Return the size in bytes.

        Raises:
            MediaError: it is missing, a folder, empty or larger than the limit.
        """
        content = self.content
        try:
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            if size:  # pipes and devices have none, and opening one might wait for ever
                self.open_file().close()
        except FileNotFoundError as error:
            raise MediaError(
                f"{self.name} does not exist", next_step="check the root and path"
            ) from error
        except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
            fault = getattr(error, "strerror", None) or error
            raise MediaError(f"{self.name} cannot be read: {fault}") from error
        if size == 0:
            raise MediaError(f"{self.name} is empty")
        if size > self.limits.bytes:
            raise MediaLimitError(
                f"{self.name} has {size:,} bytes, more than the limit of {self.limits.bytes:,}",
                next_step="cut or re-encode it, or raise the limit",
            )
        return size

    def open_container(self) -> tuple[Any, Any]:
        """Return PyAV's container and its video stream, set to decode in one thread.

        One thread for each clip and many processes are faster than many threads.

        Raises:
            MediaError: it is no video, is damaged beyond opening, or claims frames larger or
                more seconds than the limits.
        """
        # The codec refuses larger frames too, when a stream turns out not to be what its header
        # says; it counts whole blocks of up to 64 pixels, hence the slack.
        pixels = {"max_pixels": str(self.limits.pixels + (self.limits.pixels >> 4) + (1 << 16))}
        file = self.content
        try:
            opened = io.BytesIO(file) if isinstance(file, bytes) else str(file.absolute())
            container = av.open(opened, options=_OPTIONS)
        except (av.FFmpegError, OSError, ValueError, IndexError) as error:
            raise self._not_opened() from error
        try:
            streams = [s for s in container.streams.video if not _is_cover(s)]
            if not streams:
                raise MediaError(f"{self.name} holds no video", why="it has other streams only")
            self._check_claims(container, streams[0])
            streams[0].codec_context.thread_count = 1
            streams[0].codec_context.options = pixels
        except BaseException:
            container.close()
            raise
        return container, streams[0]

    def check_size(self, width: int, height: int, claim: str = "claims") -> None:
        """Raise MediaError where a frame of ``width`` x ``height`` pixels is over the limit."""
        if width * height > self.limits.pixels:
            raise MediaLimitError(
                f"{self.name} {claim} frames of {width} x {height} pixels, more than the limit"
                f" of {self.limits.pixels:,}",
                why="a small file can claim more pixels than memory holds",
                next_step="re-encode it smaller, or raise the limit",
            )

    def check_seconds(self, seconds: float, claim: str = "claims") -> None:
        """Raise MediaError where ``seconds`` is over the limit."""
        if seconds > self.limits.seconds:
            raise MediaLimitError(
                f"{self.name} {claim} {seconds:,.0f} seconds, more than the limit"
                f" of {self.limits.seconds:,.0f}",
                next_step="cut it, or raise the limit",
            )

    def _check_claims(self, container: Any, stream: Any) -> None:
        context = stream.codec_context
        if context is None:
            raise MediaError(f"{self.name} has video of a kind that cannot be decoded")
        self.check_size(context.width or 0, context.height or 0)
        if container.duration:
            self.check_seconds(container.duration / av.time_base)

    def _not_opened(self) -> MediaError:
        with self.open_file() as file:
            start = file.read(16)
            if start.startswith(_PICTURES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
                return MediaError(
                    f"{self.name} is a picture, not a video",
                    next_step="give it the suffix of its kind",
                )
            boxes = _top_boxes(file)
        if b"ftyp" in boxes or b"mdat" in boxes:
            if b"moov" in boxes:
                return MediaError(f"{self.name} is damaged: its index cannot be read")
            return MediaError(
                f"{self.name} is not finished: it lacks its index (moov)",
                why="the recording or the download stopped before the end",
                next_step="fetch it again",
            )
        if start.startswith(_CONTAINER_STARTS):
            return MediaError(f"{self.name} is damaged: it begins like a video but cannot be read")
        return MediaError(f"{self.name} is not a video")


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _top_boxes(file: BinaryIO) -> set[bytes]:
    """Return the kinds of the outermost boxes of an MP4 or MOV; nonsense for other files."""
    kinds: set[bytes] = set()
    position = 0
    for _ in range(1000):
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            break
        kinds.add(header[4:8])
        size = int.from_bytes(header[:4])
        if size == 1:  # the real size does not fit in four bytes
            size = int.from_bytes(header[8:16])
        if size < 8:
            break
        position += size
    return kinds
