"""Which frames a sampling means, for clips of any length and rhythm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepfake_lightning.media import choose_frames
from deepfake_lightning.schemas import Sampling

STEPS = st.lists(st.integers(1, 3000), max_size=200)
Times = NDArray[np.int64]


def times(steps: list[int]) -> Times:
    return np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)


def chosen(timestamps: Times, text: str) -> list[int]:
    positions = choose_frames(timestamps, np.array([0], np.int64), Sampling.parse(text))
    assert positions.dtype == np.int64
    return positions.tolist()


@pytest.mark.parametrize(
    ("frames", "text", "expected"),
    [
        (10, "even:2", [2, 7]),
        (9, "even:3", [1, 4, 7]),
        (300, "even:1", [150]),
        (3, "even:16", [0, 1, 2]),
        (1, "even:16", [0]),
        (5, "all", [0, 1, 2, 3, 4]),
    ],
)
def test_even_takes_the_centres_of_equal_stretches(
    frames: int, text: str, expected: list[int]
) -> None:
    assert chosen(np.arange(frames) * 40, text) == expected


@pytest.mark.parametrize(
    ("timestamps", "text", "expected"),
    [
        ([0, 40, 80, 120, 160], "every:0.1", [0, 3]),
        ([0, 40, 80, 120, 160], "every:0.04", [0, 1, 2, 3, 4]),
        ([0, 10, 2500, 2510, 3000], "every:1", [0, 2, 4]),  # nothing at 1 s or 2 s: 2.5 s, once
        ([0, 33, 67, 100, 133], "every:0.033333333", [0, 1, 2, 3, 4]),  # 30 a second, rounded
        ([0, 40, 80], "every:1000", [0]),
        ([0, 40, 80], "every:1e-300", [0, 1, 2]),
    ],
)
def test_every_takes_the_first_frame_at_or_after_each_tick(
    timestamps: list[int], text: str, expected: list[int]
) -> None:
    assert chosen(np.array(timestamps), text) == expected


def test_keyframes_are_handed_through_and_an_empty_clip_has_none() -> None:
    keyframes = np.array([0, 12, 24])
    assert choose_frames(np.arange(30), keyframes, Sampling("keyframes")).tolist() == [0, 12, 24]
    for text in ("even:4", "every:1", "all"):
        assert chosen(np.array([], np.int64), text) == []


@given(steps=STEPS, amount=st.integers(1, 300))
def test_even_gives_as_many_as_asked_no_two_alike_and_evenly(steps: list[int], amount: int) -> None:
    timestamps = times(steps)
    positions = chosen(timestamps, f"even:{amount}")
    assert len(positions) == min(amount, len(timestamps))
    assert positions[0] >= 0
    assert positions[-1] < len(timestamps)
    gaps = np.diff(positions)
    assert (gaps > 0).all()
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


@given(steps=STEPS, seconds=st.floats(0.001, 20))
def test_every_misses_no_tick_and_takes_no_frame_twice(steps: list[int], seconds: float) -> None:
    timestamps = times(steps)
    positions = chosen(timestamps, f"every:{seconds!r}")
    ticks = np.arange(int((timestamps[-1] + 0.5) / (1000 * seconds)) + 1) * 1000 * seconds
    wanted = {int(np.argmax(timestamps + 0.5 >= tick)) for tick in ticks}
    # A tick that falls on the border of a rounded millisecond may go either way.
    border = np.isclose(np.abs(timestamps[:, None] + 0.5 - ticks), 0, atol=1e-6).any()
    assert border or positions == sorted(wanted)
    assert positions[0] == 0
