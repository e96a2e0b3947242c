"""Pictures of every kind become RGB, and broken ones are found without harm."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import inspect_image, read_image


@pytest.fixture
def picture() -> Image.Image:
    """Return 48 x 32 pixels (width x height) with blocks of colour."""
    blocks = np.random.default_rng(0).integers(0, 256, (4, 6, 3))
    return Image.fromarray(np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8))


def saved(picture: Image.Image, path: Path, **options: object) -> NDArray[np.uint8]:
    picture.save(path, **options)
    return read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_lossless_pictures_are_read_exactly(
    picture: Image.Image, tmp_path: Path, suffix: str
) -> None:
    image = saved(picture, tmp_path / f"x{suffix}")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.asarray(picture))


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_pictures_are_what_another_decoder_sees(
    picture: Image.Image, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"x{suffix}"
    image = saved(picture, path, quality=95)
    other = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert np.abs(image.astype(int) - other).mean() < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("clear", [False, True])
def test_orientation_is_honoured(
    picture: Image.Image, tmp_path: Path, orientation: int, suffix: str, clear: bool
) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    path = tmp_path / f"x{suffix}"
    picture.save(tmp_path / f"plain{suffix}", exif=exif, quality=95)
    # Pillow turns transparent TIFFs wrongly, so the reference is without.
    reference = Image.open(tmp_path / f"plain{suffix}")
    upright = np.asarray(ImageOps.exif_transpose(reference).convert("RGB")).astype(int)
    if clear and suffix != ".jpg":
        picture.putalpha(200)
    image = saved(picture, path, exif=exif, quality=95)
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).mean() < 1.5


def test_grey_transparent_and_palette_pictures_become_rgb(
    picture: Image.Image, tmp_path: Path
) -> None:
    grey = picture.convert("L")
    np.testing.assert_array_equal(
        saved(grey, tmp_path / "l.png"), np.asarray(grey)[..., None].repeat(3, axis=2)
    )
    clear = picture.copy()
    clear.putalpha(100)
    np.testing.assert_array_equal(saved(clear, tmp_path / "rgba.png"), np.asarray(picture))
    np.testing.assert_array_equal(saved(clear, tmp_path / "rgba.tif"), np.asarray(picture))
    np.testing.assert_array_equal(
        saved(clear, tmp_path / "rgba.webp", lossless=True, exact=True), np.asarray(picture)
    )
    indexed = picture.quantize(256)
    np.testing.assert_array_equal(
        saved(indexed, tmp_path / "p.png"), np.asarray(indexed.convert("RGB"))
    )


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path: Path, suffix: str) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    image = saved(Image.fromarray(deep[..., 0]), tmp_path / f"grey{suffix}")
    assert (image.dtype, image.shape) == (np.uint8, (20, 30, 3))
    np.testing.assert_array_equal(image[..., 0], deep[..., 0] >> 8)
    assert cv2.imwrite(str(tmp_path / f"colour{suffix}"), deep[..., ::-1])
    image = read_image(tmp_path / f"colour{suffix}")
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - (deep >> 8)).max() <= 1


def test_bytes_are_read_as_files_are(picture: Image.Image, tmp_path: Path) -> None:
    image = saved(picture, tmp_path / "x.png")
    np.testing.assert_array_equal(read_image((tmp_path / "x.png").read_bytes()), image)
    for content, message in ((b"", "is empty"), (b"GIF89a" * 20, "cannot be decoded")):
        with pytest.raises(MediaError, match=f"^the upload {message}"):
            read_image(content)
    with pytest.raises(MediaError, match=r"^the upload claims 30000 x 30000 pixels"):
        read_image(bomb(".png"))


def test_stray_bytes_before_a_frame_header_do_not_hide_its_size(
    picture: Image.Image, tmp_path: Path
) -> None:
    picture.save(tmp_path / "x.jpg", quality=95)
    data = (tmp_path / "x.jpg").read_bytes()
    place = data.index(b"\xff\xc0")
    assert read_image(data[:place] + b"stray" + data[place:]).shape == (32, 48, 3)
    data = bomb(".jpg")
    place = data.index(b"\xff\xc0")
    with pytest.raises(MediaError, match="claims 30000 x 30000 pixels"):
        read_image(data[:place] + b"stray" + data[place:])


def test_cmyk_becomes_rgb_with_the_right_colours(picture: Image.Image, tmp_path: Path) -> None:
    image = saved(picture.convert("CMYK"), tmp_path / "x.jpg", quality=95)
    assert np.abs(image.astype(int) - np.asarray(picture).astype(int)).mean() < 3


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_pictures_are_found(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = tmp_path / f"x{suffix}"
    Image.fromarray(noise).save(path)
    assert inspect_image(path)[0] is None
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert inspect_image(path)[0] in ("is truncated", "is not a picture")


def test_padding_after_the_end_is_no_damage(picture: Image.Image, tmp_path: Path) -> None:
    for name in ("x.jpg", "x.png"):
        path = tmp_path / name
        picture.save(path)
        path.write_bytes(path.read_bytes() + bytes(16))
        assert inspect_image(path)[0] is None


@pytest.mark.parametrize("name", ["x.jpg", "x.png"])
def test_bytes_after_the_end_are_no_damage_and_do_not_hide_any(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = tmp_path / name
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data + b"SEFT of a phone" * 20)
    assert inspect_image(path)[0] is None
    assert read_image(path).shape == (64, 64, 3)
    for filling in (b"SEFT of a phone" * 20, bytes(len(data) // 2)):
        path.write_bytes(data[: len(data) // 2] + filling)
        assert inspect_image(path)[0] == "is truncated"


def test_a_thumbnail_does_not_stand_in_for_the_end(picture: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    picture.save(path)
    thumbnail, data = path.read_bytes(), path.read_bytes()
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = data[:2] + segment + data[2:]
    path.write_bytes(whole)
    assert inspect_image(path)[0] is None
    path.write_bytes(whole[: -len(data) // 2] + bytes(len(data) // 2))
    assert inspect_image(path)[0] == "is truncated"


def test_the_digest_is_of_the_bytes(picture: Image.Image, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"not a picture")
    # checkpoints keep them, so they may not depend on versions or processes
    assert inspect_image(tmp_path / "x.png") == ("is not a picture", 6772556652131470710)
    assert inspect_image(tmp_path / "no.png") == ("does not exist", 0)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"<html>404 Not Found</html>", "is not a picture"),
        (b"\xff\xd8\xff\xd9", "is not a picture"),
        (b"\xff\xd8", "is truncated"),
        (b"\x89PNG\r\n\x1a\n", "is truncated"),
        (b"\0" * 100, "is not a picture"),
    ],
)
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    assert inspect_image(path)[0] == fault
    with pytest.raises(MediaError) as caught:
        read_image(path)
    assert str(path) in caught.value.what


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    assert inspect_image(tmp_path / "no.jpg")[0] == "does not exist"
    (tmp_path / "x.jpg").mkdir()
    assert inspect_image(tmp_path / "x.jpg")[0] == "cannot be read: Is a directory"
    with pytest.raises(MediaError, match=r"no\.jpg does not exist"):
        read_image(tmp_path / "no.jpg")


def bomb(suffix: str) -> bytes:
    """Return a small file that claims 30000 x 30000 pixels."""
    buffer = io.BytesIO()
    Image.new("L", (16, 16)).save(buffer, "JPEG" if suffix == ".jpg" else "PNG")
    data = buffer.getvalue()
    if suffix == ".jpg":
        start = data.index(b"\xff\xc0") + 5
        return data[:start] + struct.pack(">HH", 30000, 30000) + data[start + 4 :]
    if suffix == ".bmp":
        return b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 30000, -30000, 1, 24) + bytes(100)
    if suffix == ".webp":
        size = (30000 - 1).to_bytes(3, "little")
        return b"RIFF" + struct.pack("<I", 60) + b"WEBPVP8X" + bytes(8) + size * 2 + bytes(38)
    if suffix == ".tif":
        entries = [(256, 4, 1, 30000), (257, 4, 1, 30000), (258, 3, 1, 8), (262, 3, 1, 1)]
        return (
            b"II*\0"
            + struct.pack("<IH", 8, 4)
            + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        )
    if suffix == ".btf":  # BigTIFF
        entries = [(256, 4, 1, 30000), (257, 4, 1, 30000)]
        return (
            b"MM\0+"
            + struct.pack(">HHQQ", 8, 0, 16, 2)
            + b"".join(struct.pack(">HHQI4x", *entry) for entry in entries)
        )
    header = b"IHDR" + struct.pack(">II", 30000, 30000) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".btf"])
def test_a_small_file_that_claims_a_billion_pixels_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(bomb(suffix))
    assert "claims 30000 x 30000 pixels" in str(inspect_image(path)[0])
    with pytest.raises(MediaError, match="more than the limit of 100,000,000"):
        read_image(path)


def test_a_chunk_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("RGB", (50, 40)).save(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"IDAT") - 4
    data[at : at + 4] = (0xFF000000).to_bytes(4)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="claims more bytes than there are"):
        read_image(path)
    assert "claims more bytes" in str(inspect_image(path)[0])


def test_a_name_that_no_file_can_have_is_a_typed_error() -> None:
    with pytest.raises(MediaError, match="cannot be read"):
        read_image(Path("a\0b.png"))
    assert inspect_image(Path("a\0b.png"))[0] is not None


MEMORY = """
import resource, sys
from pathlib import Path
import {imports}
from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import inspect_image, read_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_image(Path(sys.argv[1]))
except MediaError:
    assert inspect_image(Path(sys.argv[1]))[0] is not None
    print("refused", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("name", "imports"), [("x.png", "cv2"), ("x.tif", "deepfake_lightning.data, cv2")]
)
def test_its_pixels_are_never_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, imports: str
) -> None:
    monkeypatch.delenv("OPENCV_IO_MAX_IMAGE_PIXELS", raising=False)
    path = tmp_path / name
    if name == "x.png":
        path.write_bytes(bomb(".png"))
    else:
        Image.new("L", (12000, 10000)).save(path, compression="tiff_adobe_deflate")
    run = subprocess.run(
        [sys.executable, "-c", MEMORY.format(imports=imports), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    said, mebibytes = run.stdout.split()
    assert said == "refused"
    assert int(mebibytes) < 100
