"""Damaged and hostile clips give what is left of them, or say what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import (
    VIDEO_LIMITS,
    Frame,
    Limits,
    inspect_video,
    open_video,
)
from deepfake_lightning.schemas import Sampling

Clip = Callable[[str], Path]
ByFfmpeg = Callable[[Path, int, int], NDArray[np.uint8]]
NumberOf = Callable[[NDArray[np.uint8]], int]
ALL, KEYS = Sampling("all"), Sampling("keyframes")
TIGHT = Limits(bytes=1 << 20, pixels=640 * 480, seconds=10, frames=100)

BROKEN = {
    "empty.mp4": "is empty",
    "text.mp4": "is not a video",
    "script.mp4": "is not a video",
    "jpeg.mp4": "is a picture, not a video",
    "audio_only.mp4": "holds no video",
    "without_index.mp4": "is not finished: it lacks its index (moov)",
    "all_zeroed.mp4": "holds no frame that can be decoded",
}


def frames(path: Path, sampling: Sampling = ALL) -> list[Frame]:
    with open_video(path) as video:
        return list(video.frames(sampling))


@pytest.mark.parametrize("name", BROKEN)
def test_clips_that_cannot_be_used_say_why(clip: Clip, name: str) -> None:
    path = clip(name)
    with pytest.raises(MediaError) as caught:
        open_video(path)
    assert caught.value.what == f"{path} {BROKEN[name]}"
    fault, digest = inspect_video(path)
    assert fault == BROKEN[name]
    assert (digest == 0) == (name == "empty.mp4")


def test_missing_clips_and_folders_are_named(tmp_path: Path) -> None:
    assert inspect_video(tmp_path / "no.mp4") == ("does not exist", 0)
    assert inspect_video(tmp_path) == ("cannot be read: Is a directory", 0)
    with pytest.raises(MediaError, match=r"no\.mp4 does not exist"):
        open_video(tmp_path / "no.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert inspect_video(tmp_path / "pipe.mp4")[0] == "is empty"


@pytest.mark.parametrize("name", ["a:b.mp4", "%03d.mp4", "file:x.mp4", "ünïcode \udce9.mp4"])
def test_names_mean_nothing(clip: Clip, tmp_path: Path, reader: str, name: str) -> None:
    path = tmp_path / name
    shutil.copy(clip("whole.mp4"), path)
    assert len(frames(path)) == 30


def test_damaged_frames_are_left_out_and_counted(
    clip: Clip, number_of: NumberOf, reader: str
) -> None:
    with open_video(clip("zeroed.mp4")) as video:
        shown = list(video.frames(ALL))
        assert video.info.frames == 30
        assert video.lost == 30 - len(shown) == 3
        sound = [frame for frame in shown if frame.index < 4 or frame.index >= 20]
        assert [number_of(frame.image) for frame in sound] == [frame.index for frame in sound]
        assert len(sound) == 14
        lost = sorted(set(range(30)) - {frame.index for frame in shown})
        assert len(list(video.read([0, lost[0], 25]))) == 2
        assert video.lost == 1
        (nearest,) = video.read(lost[:1])
        assert nearest.index in (lost[0] - 1, lost[0] + 1)
        assert video.lost == 1
    assert inspect_video(clip("zeroed.mp4"))[0] is None


def test_a_lost_key_frame_takes_no_other_stretch_with_it(
    clip: Clip, number_of: NumberOf, reader: str
) -> None:
    with open_video(clip("zeroed_key.mp4")) as video:
        shown = {frame.index: number_of(frame.image) for frame in video.frames(ALL)}
        assert video.lost == 30 - len(shown) <= 10
        for index in (*range(9), *range(20, 30)):
            assert shown[index] == index
        assert [frame.index for frame in video.frames(KEYS)] == [0, 20]


@pytest.mark.parametrize("name", ["bit_flips.mp4", "truncated.mp4"])
def test_flipped_bits_and_a_missing_end_leave_the_rest(
    clip: Clip, by_ffmpeg: ByFfmpeg, number_of: NumberOf, reader: str, name: str
) -> None:
    with open_video(clip(name)) as video:
        shown = list(video.frames(ALL))
        assert len(shown) == video.info.frames - video.lost == len(by_ffmpeg(clip(name), 96, 64))
        if name == "truncated.mp4":
            assert [number_of(frame.image) for frame in shown[:20]] == list(range(20))
        for text in ("even:4", "every:0.3", "keyframes"):
            assert list(video.frames(Sampling.parse(text)))


def test_every_cut_ends_in_frames_or_in_a_typed_error(clip: Clip, reader: str) -> None:
    data = clip("whole.mp4").read_bytes()
    front = clip("index_first.mp4").read_bytes()
    for share in np.linspace(0.02, 0.98, 12):
        for content in (data[: int(len(data) * share)], front[: int(len(front) * share)]):
            try:
                assert list(open_video(content).frames(Sampling("even", 5)))
            except MediaError as error:
                assert error.what.startswith("the upload ")


@pytest.mark.parametrize(
    ("name", "limits", "message"),
    [
        ("eight_k.mp4", TIGHT, "claims frames of 7680 x 4320 pixels, more than the limit"),
        ("whole.mp4", Limits(1000, 1 << 20, 10, 100), "bytes, more than the limit of 1,000"),
        ("whole.mp4", Limits(1 << 20, 1 << 20, 0.5, 100), "claims 1 seconds, more than the limit"),
        ("mpeg4.avi", Limits(1 << 20, 90 * 60, 9, 100), "claims frames of 96 x 64 pixels"),
    ],
)
def test_limits_hold_before_anything_is_decoded(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, name: str, limits: Limits, message: str
) -> None:
    path = clip(name)
    monkeypatch.setattr("deepfake_lightning.media.video_index.decoded_frames", None)
    monkeypatch.setattr("deepfake_lightning.media.pyav_reading.decoded_frames", None)
    with pytest.raises(MediaError) as caught:
        open_video(path, limits)
    assert caught.value.what.startswith(f"{path} ")
    assert message in caught.value.what
    assert message in str(inspect_video(path, limits)[0])


def test_a_header_that_claims_more_than_there_is_costs_nothing(clip: Clip) -> None:
    with open_video(clip("claims_eight_k.mp4"), TIGHT) as video:
        assert (video.info.width, video.info.height) == (96, 64)
        assert {frame.image.shape for frame in video.frames(ALL)} == {(64, 96, 3)}


def test_no_more_frames_are_handed_out_than_allowed(clip: Clip) -> None:
    video = open_video(clip("whole.mp4"), Limits(1 << 20, 1 << 20, 10, 12))
    assert len(video.choose(Sampling("even", 12))) == 12
    with pytest.raises(MediaError, match=r"all would take 30 frames, more than the limit of 12"):
        video.choose(ALL)
    with pytest.raises(MediaError, match=r"more than the limit of 12\nNext: take fewer"):
        video.read(range(30))


QUIET = """
import sys
from pathlib import Path
from deepfake_lightning.media import inspect_video, open_video
from deepfake_lightning.schemas import Sampling
for path in sys.argv[1:]:
    if inspect_video(Path(path))[0] is None:
        print(len(list(open_video(Path(path)).frames(Sampling("all")))))
assert "torch" not in sys.modules
"""


def test_damage_is_not_written_to_the_terminal(clip: Clip) -> None:
    names = ["zeroed.mp4", "bit_flips.mp4", "truncated.mp4", "without_index.mp4", "text.mp4"]
    run = subprocess.run(
        [sys.executable, "-c", QUIET, *(str(clip(name)) for name in names)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    assert run.stdout.startswith("27\n")


def test_archives_are_within_the_default_limits(clip: Clip) -> None:
    assert VIDEO_LIMITS.pixels >= 7680 * 4320
    (frame,) = frames(clip("eight_k.mp4"))
    assert frame.image.shape == (4320, 7680, 3)
