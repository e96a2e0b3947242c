"""What is told of a job that runs."""

from __future__ import annotations

import pytest

from deepfake_lightning.serving.jobs.job import Job

BEGAN = 1_000_000_000


@pytest.mark.parametrize(
    ("noted", "frames", "left"),
    [
        (BEGAN + 6_000_000, 30, 14.0),
        (BEGAN + 6_000_000, 100, 0.0),
        (BEGAN - 3_600_000_000, 30, 0.0),  # the clock was set back by an hour
    ],
)
def test_the_time_left_is_never_below_zero(noted, frames, left):
    job = Job(
        id="a", client="desk", version="v1.0.0", digest="ab" * 32, bundle="b", state="running",
        bytes=1, created_us=BEGAN, started_us=BEGAN, frames=frames, frames_to_do=100,
        progress_us=noted,
    )  # fmt: skip
    assert job.seconds_left == pytest.approx(left)
    assert str(job.seconds_left) != "-0.0"
