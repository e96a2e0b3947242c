"""Clips encoded anew: what the stream says, what is kept of it, and how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.data
from skimage.metrics import peak_signal_noise_ratio

from deepfake_lightning.errors import DegradationError, MediaError, MediaLimitError
from deepfake_lightning.media import open_video
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.media.degrading import downscale
from deepfake_lightning.media.h264 import PRESET, recode
from deepfake_lightning.media.limits import VIDEO_LIMITS


def frames_of(content: Path | bytes) -> tuple[np.ndarray, list[int]]:
    with open_video(content) as video:
        frames = list(video.read(np.arange(video.info.frames)))
        return np.stack([one.image for one in frames]), video.timestamps_ms.tolist()


def fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def filmed(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of a natural picture that moves, all but lossless."""
    whole = skimage.data.astronaut()
    pictures = [np.ascontiguousarray(whole[n : n + 96, 150 : 150 + 128]) for n in range(12)]
    path = tmp_path_factory.mktemp("filmed") / "clip.mp4"
    return make_clip(path, pictures=pictures, options={"crf": "1"}, fps=12)


def test_the_stream_says_its_rate_factor_and_quality_falls_with_it(
    filmed: Path, tmp_path: Path
) -> None:
    before, times = frames_of(filmed)
    near, sizes = [], []
    for key, crf in (("h264_23", 23), ("h264_28", 28), ("h264_40", 40)):
        how = DEGRADATIONS[key].clip
        assert how is not None
        content = how(filmed, fresh(tmp_path / key), (0, 1)).read_bytes()
        assert f"crf={crf}.0".encode() in content  # x264 writes its options into the stream
        after, when = frames_of(content)
        assert after.shape == before.shape and when == times
        pairs = zip(before, after, strict=True)
        near.append(np.mean([peak_signal_noise_ratio(*pair) for pair in pairs]))
        sizes.append(len(content))
    assert near[0] > near[1] > near[2] and near[0] > 34
    assert sizes == sorted(sizes, reverse=True)


def test_the_same_clip_gives_the_same_bytes(filmed: Path, tmp_path: Path) -> None:
    one = recode(filmed, tmp_path / "a.mp4", 28)
    other = recode(filmed.read_bytes(), tmp_path / "b.mp4", 28)
    assert one.read_bytes() == other.read_bytes()
    assert PRESET == "veryfast"


def test_frames_stay_when_they_were_and_upright(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    times = [0, 40, 130, 170, 400, 1000]
    path = make_clip(tmp_path / "odd.mp4", frames=6, times_ms=times, rotation=90)
    before, _ = frames_of(path)
    after, when = frames_of(recode(path, tmp_path / "new.mp4", 20))
    assert when == times
    assert after.shape == before.shape == (6, 96, 64, 3)  # turned by the player, and now in fact
    assert np.abs(after.astype(int) - before).mean() < 8


def test_odd_sides_lose_a_line_and_sound_is_left_out(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=3, size=(99, 65), pix_fmt="yuv444p", audio=True)
    content = recode(path, tmp_path / "b.mp4", 23)
    assert frames_of(content)[0].shape[1:] == (64, 98, 3)
    with av.open(str(tmp_path / "b.mp4")) as container:
        (stream,) = container.streams
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"


def test_a_chain_shrinks_and_encodes(filmed: Path, tmp_path: Path) -> None:
    shape = {}
    for key in ("messenger", "social"):
        how = DEGRADATIONS[key].clip
        assert how is not None
        found, times = frames_of(how(filmed, fresh(tmp_path / key), (0, 1)))
        assert times == frames_of(filmed)[1]
        shape[key] = found.shape[1:3]
    assert shape["messenger"] == (48, 64)
    assert shape["social"] == (68, 90)
    tiny = recode(filmed, tmp_path / "tiny.mp4", 30, partial(downscale, factor=0.01))
    assert frames_of(tiny)[0].shape[1:] == (2, 2, 3)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_text("not a video")
    with pytest.raises(MediaError, match="not a video"):
        recode(path, tmp_path / "new.mp4", 23)


def test_what_cannot_be_encoded_is_no_fault_of_who_is_measured(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=4)
    few = replace(VIDEO_LIMITS, frames=3)
    with pytest.raises(MediaLimitError):
        recode(path, tmp_path / "few.mp4", 23, limits=few)

    def wide(image: np.ndarray) -> np.ndarray:
        return np.zeros((16, 16_400, 3), np.uint8)

    with pytest.raises(MediaError, match="cannot be encoded as H"):
        recode(path, tmp_path / "wide.mp4", 23, wide)
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video")
    with pytest.raises(DegradationError, match="not a video"):
        DEGRADATIONS["social"].of(broken, True, (0, 1), tmp_path)


def test_a_file_that_grows_too_large_is_given_up(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    path, seen = make_clip(tmp_path / "a.mp4", frames=60), []

    def noisy(image: np.ndarray) -> np.ndarray:
        seen.append(len(seen))
        return np.random.default_rng(len(seen)).integers(0, 256, (256, 256, 3), np.uint8)

    with pytest.raises(MediaLimitError, match="takes over 10 bytes"):
        recode(path, tmp_path / "new.mp4", 1, noisy, most_bytes=10)
    assert len(seen) < 60
