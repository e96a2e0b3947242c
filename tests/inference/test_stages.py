"""Where the time of an assessment goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.inference import Engine
from deepfake_lightning.inference.engine import FramePicture
from deepfake_lightning.inference.stages import StageClock


def test_what_runs_within_is_not_counted_twice() -> None:
    def frames() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.02)
            yield number

    def faces(clock: StageClock) -> Iterator[int]:
        for number in clock.each("decode", frames()):
            time.sleep(0.01)
            yield number

    clock, began = StageClock(), time.perf_counter()
    found = []
    for number in clock.each("faces", faces(clock)):
        with clock.stage("network"):
            time.sleep(0.03)
        found.append(number)
    whole = time.perf_counter() - began
    seconds = clock.seconds
    assert found == [0, 1, 2]
    assert seconds["decode"] >= 0.06 and seconds["faces"] >= 0.03 and seconds["network"] >= 0.09
    assert sum(seconds.values()) <= whole


def test_a_stage_that_fails_is_left() -> None:
    clock = StageClock()
    with pytest.raises(ValueError), clock.stage("faces"), clock.stage("decode"):
        raise ValueError
    before = dict(clock.seconds)
    time.sleep(0.01)
    with clock.stage("network"):
        pass
    assert {**clock.seconds, "network": 0.0} == before


def test_an_engine_tells_the_stages(frame_engine: Engine, portrait_clips: Path) -> None:
    stages = StageClock()
    found = frame_engine.assess(portrait_clips / "fake/two.mp4", stages=stages)
    whole = found.milliseconds
    assert found.status == "ok" and min(stages.seconds.values()) > 0
    assert 1000 * stages.seconds["network"] == pytest.approx(whole["network"], abs=0.001)
    parts = 1000 * (stages.seconds["decode"] + stages.seconds["faces"])
    assert 0 < parts <= whole["media"] + 0.001


@pytest.mark.parametrize("cropped", [True, False])
def test_pictures_have_stages_too(frame_engine: Engine, photo: Any, cropped: bool) -> None:
    stages = StageClock()
    pictures = [FramePicture(photo(1)), FramePicture(photo(2))]
    frame_engine.assess_frames(pictures, name="clip", already_cropped=cropped, stages=stages)
    assert stages.seconds["decode"] > 0 and stages.seconds["network"] > 0
    assert (stages.seconds["faces"] == 0) == cropped  # no face is looked for in a crop
