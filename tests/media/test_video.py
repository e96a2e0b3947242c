"""Clips of every kind give the frames that are shown, and broken ones say what is wrong."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import (
    Frame,
    Limits,
    decord_reading,
    inspect_video,
    open_video,
    pyav_reading,
)
from deepfake_lightning.schemas import Sampling

Clip = Callable[[str], Path]
ByFfmpeg = Callable[[Path, int, int], NDArray[np.uint8]]
NumberOf = Callable[[NDArray[np.uint8]], int]
ALL, KEYS = Sampling("all"), Sampling("keyframes")

WHOLE = [
    *("whole.mp4", "sound.mp4", "index_first.mp4", "open_gop.mp4", "refresh.mp4", "hevc.mp4"),
    *("av1.mp4", "vp9.webm", "vp8.webm", "mpeg4.avi", "mpeg2.mpg", "stream.ts", "variable.mp4"),
    *("ten_bits.mp4", "chroma444.mp4", "rgb.mp4", "full_range.mp4"),
    *("bt709.mp4", "bt2020.mp4", "smpte240m.mp4"),
]
TURNED = [
    *("rotated.mp4", "rotated180.mp4", "rotated270.mp4"),
    *("hflip.mp4", "vflip.mp4", "transposed.mp4"),
]


def frames(path: Path, sampling: Sampling = ALL) -> list[Frame]:
    with open_video(path) as video:
        return list(video.frames(sampling))


@pytest.mark.parametrize("width", [16, 30, 48])
def test_narrow_frames_keep_their_shape_and_colours(
    make_clip: Callable[..., Path], tmp_path: Path, reader: str, width: int
) -> None:
    """Decord takes the padding of lines for channels at 16 and 48 pixels."""
    columns = np.linspace(40, 215, width).astype(np.uint8)
    picture = np.stack([np.tile(columns, (64, 1)), np.full((64, width), 90, np.uint8),
                        np.full((64, width), 160, np.uint8)], axis=2)  # fmt: skip
    path = make_clip(tmp_path / "narrow.mp4", pictures=[picture] * 5, options={"crf": "1"})
    shown = frames(path)
    assert len(shown) == 5
    for frame in shown:
        assert frame.image.shape == (64, width, 3)
        assert np.abs(frame.image.astype(int) - picture).mean() < 6


@pytest.mark.parametrize("name", WHOLE)
def test_every_frame_is_the_one_that_was_encoded(
    clip: Clip, number_of: NumberOf, reader: str, name: str
) -> None:
    with open_video(clip(name)) as video:
        shown = list(video.frames(ALL))
        assert [number_of(frame.image) for frame in shown] == list(range(video.info.frames))
        assert [frame.index for frame in shown] == list(range(len(shown)))
        assert len(shown) == (60 if name == "refresh.mp4" else 30)
        assert all(frame.image.shape == (64, 96, 3) for frame in shown)
        assert all(frame.image.dtype == np.uint8 for frame in shown)
        assert video.lost == 0


@pytest.mark.parametrize("name", [*WHOLE, "interlaced.mp4"])
def test_sparse_frames_and_key_frames_are_the_same_as_in_a_whole_reading(
    clip: Clip, reader: str, name: str
) -> None:
    whole = {frame.index: frame.image for frame in frames(clip(name))}
    with open_video(clip(name)) as video:
        assert video.keyframes[0] == 0
        for positions in ([4, 21, 28], [20], [29], [0, 29], [9, 10, 11], video.choose(KEYS)):
            some = list(video.read(positions))
            assert [frame.index for frame in some] == list(positions)
            for frame in some:
                np.testing.assert_array_equal(frame.image, whole[frame.index])


@pytest.mark.parametrize("name", WHOLE + TURNED + ["edit_list.mp4"])
def test_colours_and_turns_are_those_of_ffmpeg(
    clip: Clip, by_ffmpeg: ByFfmpeg, reader: str, name: str
) -> None:
    with open_video(clip(name)) as video:
        reference = by_ffmpeg(clip(name), video.info.width, video.info.height)
        shown = np.stack([frame.image for frame in video.frames(ALL)])
    assert shown.shape == reference.shape
    difference = np.abs(shown.astype(int) - reference)
    assert difference.max() <= (8 if name == "ten_bits.mp4" else 2)
    assert difference.mean() < 1


@pytest.mark.parametrize(("name", "degrees"), [("rotated.mp4", 270), ("rotated180.mp4", 180)])
def test_turned_clips_come_upright(
    clip: Clip, number_of: NumberOf, reader: str, name: str, degrees: int
) -> None:
    with open_video(clip(name)) as video:
        info = video.info
        assert info.rotation == degrees
        for frame in video.read([0, 5, 29]):
            assert frame.image.shape == (info.height, info.width, 3)
            stored = np.rot90(frame.image, degrees // 90)
            assert number_of(stored) == frame.index
    assert (info.width, info.height) == ((64, 96) if degrees == 270 else (96, 64))


def test_what_a_clip_is(clip: Clip) -> None:
    with open_video(clip("sound.mp4")) as video:
        info = video.info
    assert (info.width, info.height, info.frames, info.codec) == (96, 64, 30, "h264")
    assert info.seconds == pytest.approx(1.2)
    assert info.fps == pytest.approx(25)
    assert video.timestamps_ms.tolist() == [40 * number for number in range(30)]
    assert video.keyframes.tolist() == [0, 10, 20]
    assert open_video(clip("av1.mp4")).info.codec == "av1"


def test_decord_reads_plain_clips_and_none_that_it_gets_wrong(clip: Clip) -> None:
    if decord_reading._decord() is None:
        pytest.skip("decord has no wheel here")
    for name in ("whole.mp4", "sound.mp4", "variable.mp4", "chroma444.mp4", "rotated.mp4"):
        assert open_video(clip(name)).info.reader == "decord"
    for name in ("edit_list.mp4", "open_gop.mp4", "av1.mp4", "changes_size.mp4", "hflip.mp4"):
        assert open_video(clip(name)).info.reader == "pyav"


def test_variable_times_are_kept(clip: Clip, make_clip: Callable[..., Path]) -> None:
    with open_video(clip("variable.mp4")) as video:
        assert video.timestamps_ms[:6].tolist() == [0, 10, 50, 400, 410, 1000]
        chosen = list(video.frames(Sampling.parse("every:0.4")))
        assert [frame.timestamp_ms for frame in chosen] == [0, 400, 1000, 1231, 1627]
        assert video.info.fps == pytest.approx(30 / video.info.seconds)


def test_a_cut_clip_shows_what_a_player_shows(clip: Clip, number_of: NumberOf) -> None:
    with open_video(clip("edit_list.mp4")) as video:
        shown = list(video.frames(ALL))
        numbers = [number_of(frame.image) for frame in shown]
        assert numbers == list(range(5, 30))
        assert shown[0].timestamp_ms == 0
        assert video.keyframes.tolist() == [5, 15]
        assert [number_of(frame.image) for frame in video.frames(KEYS)] == [10, 20]


def test_a_clip_of_one_frame(clip: Clip, number_of: NumberOf, reader: str) -> None:
    for text in ("even:16", "every:1", "keyframes", "all"):
        (frame,) = frames(clip("single.mp4"), Sampling.parse(text))
        assert (frame.index, frame.timestamp_ms, number_of(frame.image)) == (0, 0, 0)


def test_bytes_are_read_as_files_are(clip: Clip, reader: str) -> None:
    with open_video(clip("whole.mp4").read_bytes()) as video:
        uploaded = list(video.frames(Sampling("even", 4)))
    for mine, other in zip(uploaded, frames(clip("whole.mp4"), Sampling("even", 4)), strict=True):
        assert mine.index == other.index
        np.testing.assert_array_equal(mine.image, other.image)
    with pytest.raises(MediaError, match=r"^the upload is empty"):
        open_video(b"")
    with pytest.raises(MediaError, match=r"^the upload is not a video"):
        open_video(b"\0" * 5000)


def test_a_stream_that_changes_its_size(clip: Clip, number_of: NumberOf) -> None:
    shown = frames(clip("changes_size.mp4"))
    assert {frame.image.shape for frame in shown} == {(64, 96, 3), (320, 480, 3)}
    assert [number_of(frame.image) for frame in shown] == [*range(30), *range(10)]


def test_frames_that_turn_out_larger_than_the_limit_are_not_handed_out(clip: Clip) -> None:
    video = open_video(clip("changes_size.mp4"), Limits(1 << 20, 150_000, 10, 100))
    with pytest.raises(MediaError, match=r"holds frames of 480 x 320 pixels, more than the limit"):
        list(video.frames(ALL))
    # Far larger ones are refused by the decoder, before they cost memory.
    video = open_video(clip("changes_size.mp4"), Limits(1 << 20, 10_000, 10, 100))
    assert {frame.image.shape for frame in video.frames(ALL)} == {(64, 96, 3)}
    assert video.lost >= 10


def test_positions_have_to_be_frames_of_an_open_clip(clip: Clip) -> None:
    video = open_video(clip("whole.mp4"))
    for positions in ([-1], [30], [3, 3], [4, 2]):
        with pytest.raises(ValueError, match="positions have to be"):
            video.read(positions)
    assert list(video.read([])) == []
    video.close()
    video.close()
    with pytest.raises(ValueError, match="is closed"):
        video.read([0])


def test_the_digest_is_of_size_start_middle_and_end(clip: Clip, tmp_path: Path) -> None:
    data = clip("whole.mp4").read_bytes()
    large = data + struct_free(3 << 20)
    copies = {name: tmp_path / name for name in ("a.mp4", "b.mp4", "longer.mp4", "other.mp4")}
    copies["a.mp4"].write_bytes(large)
    copies["b.mp4"].write_bytes(large)
    copies["longer.mp4"].write_bytes(large + b"\0")
    middle = len(large) // 2
    copies["other.mp4"].write_bytes(large[:middle] + b"x" + large[middle + 1 :])
    digests = {name: inspect_video(path)[1] for name, path in copies.items()}
    assert digests["a.mp4"] == digests["b.mp4"]
    assert len(set(digests.values())) == 3
    assert all(-(2**63) <= digest < 2**63 for digest in digests.values())
    (tmp_path / "x.mp4").write_bytes(b"not a video")
    # manifests keep them, so they may not depend on versions or processes
    assert inspect_video(tmp_path / "x.mp4") == ("is not a video", 8456618421902183955)


def struct_free(size: int) -> bytes:
    """Return a box that players pass over."""
    return size.to_bytes(4) + b"free" + bytes(size - 8)


def even_sum(path: Path) -> int:
    return int(sum(frame.image.sum(dtype=np.int64) for frame in frames(path, Sampling("even", 8))))


@pytest.mark.parametrize("name", ["whole.mp4", "hevc.mp4"])
def test_threads_read_clips_of_their_own(clip: Clip, name: str) -> None:
    path = clip(name)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(even_sum, [path] * 16)) == {even_sum(path)}


def test_an_open_clip_crosses_a_fork(clip: Clip) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    path = clip("whole.mp4")
    video = open_video(path)
    expected = [frame.image.sum() for frame in video.read([3, 17])]
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def work() -> None:
        queue.put([frame.image.sum() for frame in video.read([3, 17])])

    process = context.Process(target=work)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert queue.get() == expected


def test_a_jump_into_a_clip_of_an_old_encoder_is_no_noise(
    tmp_path: Path, clip: Clip, reader: str
) -> None:
    """x264 names its version in the first packet; ffmpeg decodes old 4:4:4 in its own way."""
    path = tmp_path / "old.mp4"
    data = clip("chroma444.mp4").read_bytes()
    at = data.index(b"x264 - core ") + 12
    path.write_bytes(data[:at] + b"148" + data[at + 3 :])
    with open_video(path) as video:
        assert video.info.reader == reader
        last = video.info.frames - 1
        assert len(video.keyframes) > 2
        (*_, whole) = video.frames(ALL)
        (jumped,) = video.read([last])
    # What is decoded otherwise than it was written is noise here, and the same noise both ways, but
    # for what the decoder conceals.
    assert np.abs(jumped.image.astype(int) - whole.image).mean() < 1


@pytest.mark.parametrize("name", ["whole.mp4", "open_gop.mp4", "hevc.mp4", "variable.mp4"])
def test_of_frames_that_are_not_wanted_only_the_needed_ones_are_decoded(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    counted = []
    plain = pyav_reading.decoded_frames

    def counting(*args: object) -> Iterator[object]:
        for frame in plain(*args):  # type: ignore[arg-type]
            counted.append(frame)
            yield frame

    monkeypatch.setattr(pyav_reading, "decoded_frames", counting)
    with open_video(clip(name)) as video:
        whole = [frame.image for frame in video.frames(ALL)]
        for position in range(video.info.frames):
            counted.clear()
            (frame,) = video.read([position])
            np.testing.assert_array_equal(frame.image, whole[position])
            if name == "whole.mp4":  # key frames ten apart, two B frames of three unreferenced
                assert len(counted) <= 8


def test_decoding_begins_at_key_frames_that_are_whole(clip: Clip) -> None:
    """Of a stream that is refreshed bit by bit the container calls frames key that are not."""
    with open_video(clip("refresh.mp4")) as video:
        assert len(video.keyframes) > 3
        assert video._index.entries.tolist() == [0]
    with open_video(clip("whole.mp4")) as video:
        assert video._index.entries.tolist() == video.keyframes.tolist() == [0, 10, 20]


def test_times_of_decoding_are_not_taken_for_times_of_showing(
    tmp_path: Path, clip: Clip, number_of: NumberOf
) -> None:
    path = tmp_path / "raw.mp4"
    with av.open(str(clip("whole.mp4"))) as source, av.open(str(path), "w") as target:
        copied = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.size:
                packet.pts = packet.dts = number * 512
                packet.stream = copied
                target.mux(packet)
    with open_video(path) as video:
        assert [number_of(frame.image) for frame in video.frames(ALL)] == list(range(30))
        assert [number_of(frame.image) for frame in video.read([7, 29])] == [7, 29]
        assert video.lost == 0


def test_colours_that_cannot_be_converted_are_a_typed_error(clip: Clip) -> None:
    with pytest.raises(MediaError, match=r"ycgco\.mp4: a frame's colours"):
        open_video(clip("ycgco.mp4"))
    assert "colours" in str(inspect_video(clip("ycgco.mp4"))[0])


def test_a_name_that_no_file_can_have_is_a_typed_error() -> None:
    with pytest.raises(MediaError, match="cannot be read"):
        open_video(Path("a\0b.mp4"))
    assert inspect_video(Path("a\0b.mp4"))[0] is not None
