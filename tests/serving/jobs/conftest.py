"""A store of jobs, what to send to it, and runners that really run."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.bundle.load import PREPROCESS
from deepfake_lightning.serving.jobs import Job, JobRunner, JobSettings, JobStore, Order


@dataclass
class Clock:
    now: int = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1e6)


@dataclass
class Told:
    """What a runner told of jobs that came to their end."""

    jobs: list[tuple[Job, Any]] = field(default_factory=list)

    def __call__(self, job: Job, found: Any) -> None:
        self.jobs.append((job, found))


@pytest.fixture(scope="session")
def thorough_bundle(frame_bundle: Any, made_once: Callable[..., Path]) -> Path:
    """Return a bundle that looks at all frames of a clip. Read it only."""

    def make(folder: Path) -> Path:
        copy = shutil.copytree(frame_bundle.folder, folder / "bundle")
        record = json.loads((copy / PREPROCESS).read_text())
        (copy / PREPROCESS).write_text(json.dumps({**record, "sampling": "all"}))
        write_sums(copy)
        return copy

    return made_once("thorough", make)


@pytest.fixture(scope="session")
def long_clip(made_once: Callable[..., Path], make_portrait_clip: Callable[..., Path]) -> Path:
    """Return a clip that is worked on for some seconds. Read it only."""
    return made_once("long", lambda folder: make_portrait_clip(folder / "long.mp4", frames=500))


@pytest.fixture(scope="session")
def short_clip(portrait_clips: Path) -> Path:
    return portrait_clips / "fake" / "p0.mp4"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    with JobStore(tmp_path / "jobs", limit=10) as opened:
        yield opened


@pytest.fixture
def make_order() -> Callable[..., Order]:
    """Return a function that gives an order with a new id: ``make_order(client="desk")``."""

    def make(detector: Path | None = None, **more: Any) -> Order:
        known = {"version": "v1.0.0", "digest": "ab" * 32, "bundle": "nowhere"}
        if detector is not None:
            loaded = load_bundle(detector)
            known = {"version": loaded.record.version, "digest": loaded.digest,
                     "bundle": str(detector)}  # fmt: skip
        return Order(**{"id": uuid.uuid4().hex, "client": "newsroom", **known, **more})

    return make


@pytest.fixture
def submit(
    tmp_path: Path, store: JobStore, make_order: Callable[..., Order], thorough_bundle: Path
) -> Callable[..., Job]:
    """Return a function that sends a copy of a file as a job: ``submit(clip, overlay=True)``."""

    def send(file: Path, **more: Any) -> Job:
        spooled = tmp_path / f"spooled-{uuid.uuid4().hex}"
        shutil.copy(file, spooled)
        return store.submit(make_order(thorough_bundle, **more), spooled)

    return send


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def start(store: JobStore, told: Told) -> Iterator[Callable[..., JobRunner]]:
    """Return a function that starts a runner on the store: ``start(seconds=2.0)``."""
    runners: list[JobRunner] = []

    def begin(of: JobStore = store, **settings: Any) -> JobRunner:
        runner = JobRunner(of, JobSettings(**settings), told)
        runners.append(runner)
        runner.start()
        return runner

    yield begin
    for runner in runners:
        runner.stop(grace=0)


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Return a function that waits until something is true, and returns it."""

    def wait(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "it did not come about in time"
            time.sleep(0.02)
        return found

    return wait
