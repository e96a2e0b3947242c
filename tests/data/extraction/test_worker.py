"""One file into pictures: what is left behind in the process."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from deepfake_lightning.data.extraction.worker import Job, extract_one
from deepfake_lightning.schemas import Extraction, Sampling


@pytest.mark.slow
def test_nothing_of_a_clip_is_kept(portrait_clips: Path, tmp_path: Path) -> None:
    """Decoders are parts of cycles and hold megabytes: those of a hundred clips would add up."""

    def left() -> int:
        return sum(repr(type(thing)).startswith("<class 'av.") for thing in gc.get_objects())

    def work(name: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        settings = Extraction(size=64)
        job = Job(portrait_clips / name, True, folder, settings, Sampling("even", 4))
        return extract_one(job).status

    gc.collect()
    before = left()
    gc.disable()
    try:
        found = [work(name) for name in ("real/p0.mp4", "real/none.mp4", "real/broken.mp4")]
        assert found == ["ok", "no_face", "unreadable"]
        assert left() <= before
    finally:
        gc.enable()
