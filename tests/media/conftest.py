"""Clips of every odd and damaged kind, made once a session and read only."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepfake_lightning.media import decord_reading

Clip = Callable[[str], Path]
CLOSED = {"bf": "2", "g": "10", "crf": "10", "x264-params": "open-gop=0:scenecut=0"}
X265 = "log-level=none:keyint=10:min-keyint=10"
MIRRORS = {"hflip": (-1, 0, 0, 1), "vflip": (1, 0, 0, -1), "transposed": (0, 1, 1, 0)}
VARIABLE_MS = [0, 10, 50, 400, 410, *(1000 + 33 * step for step in range(25))]

OPTIONS: dict[str, dict[str, Any]] = {
    "whole.mp4": {"options": CLOSED},
    "sound.mp4": {"options": CLOSED, "audio": True},
    "single.mp4": {"frames": 1},
    "open_gop.mp4": {"options": {**CLOSED, "x264-params": "open-gop=1:scenecut=0"}},
    "refresh.mp4": {
        "frames": 60,
        "options": {"g": "10", "x264-params": "intra-refresh=1:scenecut=0:bframes=0"},
    },
    "interlaced.mp4": {
        "options": {**CLOSED, "x264-params": "tff=1:open-gop=0:scenecut=0"},
    },
    "ycgco.mp4": {"options": {"x264-params": "colormatrix=YCgCo"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": X265}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"svtav1-params": "lookahead=0"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"crf": "10", "b": "0"}},
    "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "8"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "qscale": "2"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "stream.ts": {"options": CLOSED},
    "ten_bits.mp4": {"pix_fmt": "yuv420p10le", "options": CLOSED},
    # Where x264 looks ahead, it writes 4:4:4 in other bytes now and then on a busy machine.
    "chroma444.mp4": {
        "pix_fmt": "yuv444p",
        "options": {**CLOSED, "x264-params": "open-gop=0:scenecut=0:no-mbtree=1:rc-lookahead=0"},
    },
    "rgb.mp4": {"codec": "libx264rgb", "pix_fmt": "rgb24", "options": {"crf": "5"}},
    "full_range.mp4": {"pix_fmt": "yuvj420p", "options": CLOSED},
    "bt709.mp4": {"colorspace": 1, "options": CLOSED},
    "bt2020.mp4": {"colorspace": 9, "options": CLOSED},
    "smpte240m.mp4": {"colorspace": 7, "options": CLOSED},
    "variable.mp4": {"times_ms": VARIABLE_MS, "options": CLOSED},
    "rotated.mp4": {"rotation": 90, "options": CLOSED},
    "rotated180.mp4": {"rotation": 180, "options": CLOSED},
    "rotated270.mp4": {"rotation": 270, "options": CLOSED},
    "eight_k.mp4": {"frames": 1, "size": (7680, 4320), "options": {"preset": "ultrafast"}},
    "large.mp4": {"frames": 10, "size": (480, 320), "options": CLOSED},
}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, make_clip: Callable[..., Path]) -> Clip:
    """Return a function that gives the clip of a name: ``clip("edit_list.mp4")``."""
    folder = tmp_path_factory.mktemp("clips")

    def get(name: str) -> Path:
        path = folder / name
        if path.exists():
            return path
        if name in OPTIONS:
            codec = OPTIONS[name].get("codec", "libx264")
            try:
                av.Codec(codec, "w")
            except ValueError:
                pytest.skip(f"PyAV has no {codec}")
            return make_clip(path, **OPTIONS[name])
        DAMAGE[name](path, get)
        return path

    return get


def packets(path: Path) -> list[tuple[int, int]]:
    """Return place and length of each packet."""
    with av.open(str(path)) as container:
        return [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size]


def zeroed(*numbers: int) -> Callable[[Path, Clip], None]:
    def make(path: Path, clip: Clip) -> None:
        data = bytearray(clip("whole.mp4").read_bytes())
        places = packets(clip("whole.mp4"))
        for number in numbers or range(len(places)):
            start, size = places[number]
            data[start : start + size] = bytes(size)
        path.write_bytes(data)

    return make


def bit_flips(path: Path, clip: Clip) -> None:
    data = bytearray(clip("whole.mp4").read_bytes())
    places = packets(clip("whole.mp4"))
    generator = np.random.default_rng(1)
    for place in generator.integers(places[0][0], sum(places[-1]), 40):
        data[place] ^= 1 << generator.integers(8)
    path.write_bytes(data)


def index_first(path: Path, clip: Clip) -> None:
    """Move the index to the front, as for streaming."""
    options = {"movflags": "faststart"}
    with av.open(str(clip("whole.mp4"))) as source, av.open(str(path), "w", options=options) as out:
        copied = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = copied
                out.mux(packet)


def truncated(path: Path, clip: Clip) -> None:
    data = clip("index_first.mp4").read_bytes()
    start, size = packets(clip("index_first.mp4"))[20]
    path.write_bytes(data[: start + size // 2])


def without_index(path: Path, clip: Clip) -> None:
    data = clip("whole.mp4").read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


def edit_list(path: Path, clip: Clip) -> None:
    """Show the clip from its sixth frame on, as a cut without re-encoding does."""
    data = bytearray(clip("whole.mp4").read_bytes())
    place = data.index(b"elst") + 4
    duration, start = struct.unpack_from(">Ii", data, place + 8)
    step = 12800 // 25
    struct.pack_into(">Ii", data, place + 8, duration - 200, start + 5 * step)
    path.write_bytes(data)


def mirrored(values: tuple[int, int, int, int]) -> Callable[[Path, Clip], None]:
    def make(path: Path, clip: Clip) -> None:
        data = bytearray(clip("whole.mp4").read_bytes())
        a, b, c, d = (value << 16 for value in values)
        struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(data)

    return make


def claims_eight_k(path: Path, clip: Clip) -> None:
    data = bytearray(clip("whole.mp4").read_bytes())
    struct.pack_into(">HH", data, data.index(b"avc1", data.index(b"stsd")) + 28, 7680, 4320)
    path.write_bytes(data)


def changes_size(path: Path, clip: Clip) -> None:
    """Go on with frames of 480 x 320 after the clip, in one track."""
    with av.open(str(clip("whole.mp4"))) as small, av.open(str(clip("large.mp4"))) as large:
        extra = bytes(large.streams.video[0].codec_context.extradata)
        sets, place = b"", 6
        for gap in (1, 0):  # one sequence set, the count, one picture set
            size = int.from_bytes(extra[place : place + 2])
            sets += bytes(2) + extra[place : place + 2 + size]
            place += 2 + size + gap
        with av.open(str(path), "w") as target:
            copied = target.add_stream_from_template(small.streams.video[0])
            end = 0
            for source in (small, large):
                for packet in source.demux(source.streams.video[0]):
                    if not packet.size:
                        continue
                    key = packet.is_keyframe and source is large
                    new = av.Packet(sets + bytes(packet) if key else bytes(packet))
                    new.pts, new.dts = packet.pts + end, packet.dts + end
                    new.time_base, new.is_keyframe = packet.time_base, packet.is_keyframe
                    new.stream = copied
                    target.mux(new)
                end = 30 * 512


def audio_only(path: Path, clip: Clip) -> None:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())


def jpeg(path: Path, clip: Clip) -> None:
    Image.new("RGB", (64, 48), (200, 30, 30)).save(path, "JPEG")


def script(path: Path, clip: Clip) -> None:
    """A list that makes ffmpeg open another file."""
    path.write_text(f"ffconcat version 1.0\nfile {clip('whole.mp4').name}\n")


DAMAGE: dict[str, Callable[[Path, Clip], object]] = {
    "zeroed.mp4": zeroed(4, 12, 13),
    "zeroed_key.mp4": zeroed(10),
    "all_zeroed.mp4": zeroed(),
    "bit_flips.mp4": bit_flips,
    "index_first.mp4": index_first,
    "truncated.mp4": truncated,
    "without_index.mp4": without_index,
    "edit_list.mp4": edit_list,
    "claims_eight_k.mp4": claims_eight_k,
    "changes_size.mp4": changes_size,
    "audio_only.mp4": audio_only,
    "jpeg.mp4": jpeg,
    "script.mp4": script,
    "empty.mp4": lambda path, clip: path.write_bytes(b""),
    "text.mp4": lambda path, clip: path.write_text("<html>404 Not Found</html>\n" * 40),
    **{f"{name}.mp4": mirrored(values) for name, values in MIRRORS.items()},
}


@pytest.fixture(scope="session")
def number_of() -> Callable[[NDArray[np.uint8]], int]:
    """Return a function that reads the number that ``make_clip`` drew into a frame."""

    def read(image: NDArray[np.uint8]) -> int:
        height, width = image.shape[:2]
        levels = image[: height // 2].mean(axis=(0, 2))
        return sum(1 << bit for bit in range(8) if levels[(2 * bit + 1) * width // 16] > 127)

    return read


@pytest.fixture(params=["decord", "pyav"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read with decord where it may, or as on a machine that has none."""
    if request.param == "pyav":
        monkeypatch.setattr(decord_reading, "_decord", lambda: None)
    elif decord_reading._decord() is None:
        pytest.skip("decord has no wheel here")
    return str(request.param)


@pytest.fixture
def by_ffmpeg() -> Callable[[Path, int, int], NDArray[np.uint8]]:
    """Return a function that decodes a clip with the ffmpeg program, or skips without it.

    ``by_ffmpeg(path, width, height)`` gives uint8 [frames, H, W, 3].
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("compares with the ffmpeg program")

    def decode(path: Path, width: int, height: int) -> NDArray[np.uint8]:
        command = [ffmpeg, "-v", "quiet", "-i", str(path), "-fps_mode", "passthrough"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        data = subprocess.run(command, capture_output=True, check=False).stdout
        return np.frombuffer(data, np.uint8).reshape(-1, height, width, 3)

    return decode
