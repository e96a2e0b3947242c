"""Files that are damaged, lie about their size, or are something else than they seem."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

Generator = np.random.Generator
_CLIPS = {
    "h264.mp4": {}, "h264.mkv": {}, "mpeg4.avi": {"codec": "mpeg4"},
    "vp8.webm": {"codec": "libvpx"}, "mpeg2.mpg": {"codec": "mpeg2video"},
    "sound.mov": {"audio": True},
}  # fmt: skip


def pictures() -> dict[str, bytes]:
    """Return small sound pictures of each kind."""
    generator = np.random.default_rng(5)
    coarse = generator.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (96, 64), interpolation=cv2.INTER_CUBIC)
    found = {kind: cv2.imencode(kind, image)[1].tobytes()
             for kind in (".jpg", ".png", ".webp", ".bmp", ".tiff")}  # fmt: skip
    picture = Image.fromarray(image)
    kinds: list[tuple[str, str, dict[str, object]]] = [
        ("progressive.jpg", "JPEG", {"progressive": True, "quality": 95}),
        ("lossless.webp", "WEBP", {"lossless": True}),
        ("deflate.tiff", "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("jpeg.tiff", "TIFF", {"compression": "jpeg"}),
    ]
    for name, kind, options in kinds:
        found[name] = saved(picture, kind, **options)
    found["alpha.tiff"] = saved(picture.convert("RGBA"), "TIFF", compression="tiff_lzw")
    found["palette.png"] = saved(picture.quantize(16), "PNG")
    found["deep.png"] = cv2.imencode(".png", image.astype(np.uint16) * 257)[1].tobytes()
    found["deep.tiff"] = cv2.imencode(".tiff", image.astype(np.uint16) * 257)[1].tobytes()
    exif = Image.Exif()
    exif[274] = 6
    found["turned.jpg"] = saved(picture, "JPEG", exif=exif)
    found["animated.webp"] = saved(
        picture, "WEBP", save_all=True, append_images=[picture.rotate(90)]
    )
    found["animated.png"] = saved(picture, "PNG", save_all=True, append_images=[picture.rotate(90)])
    return found


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture as Pillow writes it."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def clips(make_clip: Callable[..., Path], folder: Path) -> dict[str, bytes]:
    """Return small sound clips in each kind of container."""
    return {name: make_clip(folder / name, frames=12, **options).read_bytes()
            for name, options in _CLIPS.items()}  # fmt: skip


def damaged(data: bytes, generator: Generator) -> bytes:
    """Return a file with one kind of damage, as seeded."""
    if len(data) < 8:
        return data
    kind, changed = int(generator.integers(8)), bytearray(data)
    place = int(generator.integers(len(data)))
    length = int(generator.integers(1, 64))
    if kind == 0:
        return data[:place]
    if kind == 1:
        for bit in generator.integers(0, 8 * len(data), int(generator.integers(1, 30))):
            changed[bit // 8] ^= 1 << bit % 8
    elif kind == 2:  # where headers are
        for byte in generator.integers(0, min(len(data), 400), int(generator.integers(1, 8))):
            changed[byte] = int(generator.integers(256))
    elif kind == 3:
        changed[place : place + length] = bytes(length)
    elif kind == 4:
        del changed[place : place + length]
    elif kind == 5:
        changed[place:place] = changed[place : place + length]
    elif kind == 6:  # a number becomes the largest, or one that is negative
        worst = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\x7f")
        place = int(generator.integers(min(len(data) - 4, 1500)))
        changed[place : place + 4] = worst[int(generator.integers(4))]
    else:
        other = int(generator.integers(len(data)))
        changed[place : place + length], changed[other : other + length] = (
            changed[other : other + length], changed[place : place + length])  # fmt: skip
    return bytes(changed)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *before: bytes, data: bytes = b"") -> bytes:
    """Return a PNG that claims a size; ``before`` are chunks ahead of its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", data or zlib.compress(bytes(3 * 64 * 64)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + pixels + chunk(b"IEND", b"")


def tiff(*sizes: tuple[int, int, int], side: int, samples: int = 1, order: str = "<") -> bytes:
    """Return a TIFF of a square of zeros whose strips are one and the same, so it is small.

    Args:
        sizes: (tag, kind, value) of its width (256) and height (257), as they are to be written.
        side: what is really there.
        samples: of a pixel; 4 are colours and transparency.
        order: of bytes, ``<`` or ``>``.
    """
    rows = 64
    strip, count = zlib.compress(bytes(side * rows * samples), 1), -(-side // rows)
    entries = [*((tag, kind, 1, value) for tag, kind, value in sizes),
               (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 2 if samples > 1 else 1),
               (273, 4, count, 0), (277, 3, 1, samples), (278, 4, 1, rows), (279, 4, count, 0),
               *([(338, 3, 1, 2)] if samples == 4 else [])]  # fmt: skip
    base = 8 + 2 + 12 * len(entries) + 4
    body = struct.pack(order + "H", len(entries))
    for tag, kind, length, value in entries:
        value = {273: base, 279: base + 4 * count}.get(tag, value)
        packed = struct.pack(
            order + ("HH" if kind == 3 else "I"), *((value, 0) if kind == 3 else (value,))
        )
        body += struct.pack(order + "HHI", tag, kind, length) + packed
    places = struct.pack(order + f"{count}I", *[base + 8 * count] * count)
    lengths = struct.pack(order + f"{count}I", *[len(strip)] * count)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "I", 8) + body + bytes(4) + places + lengths + strip


def bombs() -> dict[str, bytes]:
    """Return pictures that claim far more than they are, each in a way of its own."""
    zeros = zlib.compress(bytes(30_000_000), 1)
    bmp = cv2.imencode(".bmp", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    webp = cv2.imencode(".webp", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    large_frame = chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(
        b"fcTL", struct.pack(">IIIIIHHBB", 0, 30_000, 30_000, 0, 0, 1, 1, 0, 0)
    )
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(30_000_000), 1))
    vp8x = struct.pack("<I", 0)[:1] + bytes(3) + b"\xfe\xff\xff" * 2
    return {
        "large.png": png(30_000, 30_000, data=zeros),
        "text.png": png(64, 64, text),
        "frame.png": png(64, 64, large_frame),
        "header_second.png": b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", struct.pack(">II", 16, 16))
        + png(30_000, 30_000, data=zeros)[8:],
        "two_headers.png": png(64, 64, chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)), data=zeros),  # noqa: E501
        "profile.png": png(64, 64, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(30_000_000), 1))),
        "claims_chunk.png": png(64, 64)[:33] + b"\x7f\xff\xff\xffIDAT" + bytes(100),
        "large.bmp": bmp[:18] + struct.pack("<ii", 30_000, 30_000) + bmp[26:],
        "negative.bmp": bmp[:18] + struct.pack("<ii", -(2**31), -(2**31)) + bmp[26:],
        "large.webp": webp[:12] + b"VP8X" + struct.pack("<I", 10) + vp8x + webp[12:],
        "large.tiff": tiff((256, 4, 20_000), (257, 4, 20_000), side=20_000),
        # What one reader takes for the size and another does not.
        "twice.tiff": tiff((256, 4, 20_000), (256, 4, 16), (257, 4, 20_000), (257, 4, 16),
                           side=20_000),
        "twice_back.tiff": tiff((256, 4, 16), (256, 4, 20_000), (257, 4, 16), (257, 4, 20_000),
                                side=20_000),
        "signed.tiff": tiff((256, 9, 0x10010), (257, 4, 16_000), side=0x10010),
        "motorola.tiff": tiff((256, 9, 20_000), (257, 9, 20_000), side=20_000, order=">"),
        "alpha_twice.tiff": tiff((256, 4, 20_000), (256, 4, 16), (257, 4, 20_000), (257, 4, 16),
                                 side=20_000, samples=4),
    }  # fmt: skip


def other_things() -> dict[str, bytes]:
    """Return what is neither a picture nor a clip, or makes a reader look elsewhere."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(1_000_000))
    gif = saved(Image.new("P", (16, 16)), "GIF")
    lists = {
        "list.m3u8": b"#EXTM3U\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n",
        "concat.txt": b"ffconcat version 1.0\nfile '%s'\n",
        "dash.mpd": b"<MPD><BaseURL>%s</BaseURL></MPD>",
        "reference.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\na=control:%s\n",
    }
    places = (b"file:///etc/passwd", b"http://127.0.0.1:9/", b"concat:/etc/passwd|/etc/hosts",
              b"subfile,,start,0,end,99,,:/etc/passwd", b"data:text/plain,x")  # fmt: skip
    found = {"zip": packed.getvalue(), "gif": gif, "pdf": b"%PDF-1.7\n" + bytes(300),
             "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
             "html": b"<!doctype html><script>alert(1)</script>", "text": b"hello",
             "nul": b"\0", "nuls": bytes(70_000), "riff": b"RIFF\xff\xff\xff\xffWAVEfmt ",
             "elf": b"\x7fELF" + bytes(300), "shell": b"#!/bin/sh\nid\n"}  # fmt: skip
    for name, text in lists.items():
        for number, place in enumerate(places):
            found[f"{number}-{name}"] = text % place
            # Behind a start that lets it through the door.
            found[f"{number}-behind-{name}"] = b"\0\0\0\x08free" + text % place
    return found


def elsewhere(url: str) -> Iterator[bytes]:
    """Yield MP4s whose pictures lie in another file: a data reference to an address."""
    for kind, text in ((b"url ", url.encode() + b"\0"), (b"alis", bytes(200) + b"/etc/passwd\0"),
                       (b"urn ", b"a\0" + url.encode() + b"\0")):  # fmt: skip
        entry = struct.pack(">I4sI", 12 + len(text), kind, 0) + text
        dref = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
        boxes = (b"moov", b"trak", b"mdia", b"minf", b"dinf")
        yield struct.pack(">I4s4sI", 16, b"ftyp", b"qt  ", 0) + _boxes(*boxes, inside=dref)


def _boxes(*kinds: bytes, inside: bytes) -> bytes:
    for kind in reversed(kinds):
        inside = struct.pack(">I4s", 8 + len(inside), kind) + inside
    return inside


def slow_clip(path: Path, *, side: int = 3000, frames: int = 2500) -> Path:
    """Write a clip of few bytes that takes minutes to decode: one frame said again and again."""
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=50)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        stream.options = {"lag-in-frames": "0", "deadline": "realtime", "cpu-used": "8"}
        picture = av.VideoFrame.from_ndarray(np.full((side, side, 3), 99, np.uint8), format="rgb24")
        packets = []
        for number in range(2):
            picture.pts = number
            packets += stream.encode(picture)
        packets += stream.encode()
        container.mux(packets[0])
        said = bytes(packets[1])
        for number in range(1, frames):
            packet = av.Packet(said)
            packet.stream, packet.time_base = stream, stream.codec_context.time_base
            packet.pts = packet.dts = number
            container.mux(packet)
    return path
