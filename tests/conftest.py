"""What several tests share: small data sets and manifest rows."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from filelock import FileLock
from hypothesis import settings
from numpy.typing import NDArray

from tests import postgresql_server

HERE = Path(__file__).parent
ROOT = HERE.parent
# How long an example takes says what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

TINY = (
    "--model.backbone=test_efficientnet",
    "--model.pretrained=false",
    "--data.image_size=32",
    "--data.batch_size=8",
    "--data.num_workers=0",
    "--data.augment=false",
    "--model.lr=0.005",
    "--trainer.enable_progress_bar=false",
    "--report=false",  # what takes a second is asked for where it is tested
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest, so that at the end no process waits for another's."""
    longest = (HERE, HERE / "training")
    items.sort(key=lambda item: item.path.parent not in longest)


@pytest.fixture(scope="session", autouse=True)
def _loaded() -> None:
    """Fork processes from one that has loaded what any of them needs, whoever is the first to ask.

    PyTorch it has not: processes that answer requests may take so many addresses, and no more.
    """
    multiprocessing.set_forkserver_preload(
        [f"deepfake_lightning.{name}" for name in (
            "data.audit.statistics", "data.extraction.worker", "inference.worker",
            "serving.decoding", "serving.jobs.worker",
        )]
    )  # fmt: skip
    forkserver.ensure_running()


@pytest.fixture(autouse=True)
def _unseeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no seed over from a training of an earlier test, which leaves it in the environment."""
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        workspace: where it wrote.
        result: what it returned, a ``RunResult``.
    """

    workspace: Path
    result: Any


@dataclass(frozen=True)
class Built:
    """A bundle and where it comes from.

    Attributes:
        folder: of the bundle.
        checkpoint: what it was built from.
        run: the training's folder.
    """

    folder: Path
    checkpoint: Path
    run: Path


def _picture(seed: int, fake: bool, size: int) -> NDArray[np.uint8]:
    """Return smooth random texture; fakes carry a fine grid on top, which can be learnt."""
    generator = np.random.default_rng([seed, fake])
    coarse = generator.integers(60, 190, (4, 4, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    image += generator.integers(-8, 9, image.shape, dtype=np.int16)
    if fake:
        image[::4] += 45
        image[:, ::4] += 45
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def write_picture() -> Callable[..., Path]:
    """Return a function that writes a textured picture: ``write_picture(path, seed=, fake=)``."""

    def write(path: Path, *, seed: int = 0, fake: bool = False, size: int = 48) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), _picture(seed, fake, size))
        return path

    return write


@pytest.fixture(scope="session")
def make_faces(write_picture: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes ``real/`` and ``fake/`` with one picture per person and class.

    ``make_faces(root, people=12, size=48)`` names them ``person0.jpg`` and so on; the fake of a
    person has the name of the real picture, so that both are one group.
    """

    def make(root: Path, *, people: int = 12, size: int = 48) -> Path:
        for person in range(people):
            for name in ("real", "fake"):
                path = root / name / f"person{person}.jpg"
                write_picture(path, seed=person, fake=name == "fake", size=size)
        return root

    return make


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that makes something for all processes that share the tests.

    ``made_once(name, make)`` calls ``make`` with a fresh folder in the first process that asks;
    the others wait, and get what it returned. What lies in the folder is to be read only.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of the run; each process has a folder of its own below

    def once(name: str, make: Callable[[Path], Any]) -> Any:
        kept = root / f"made_once-{name}.pickle"
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make(tmp_path_factory.mktemp(name))))
            return pickle.loads(kept.read_bytes())

    return once


@pytest.fixture(scope="session")
def postgresql(made_once: Callable[..., int]) -> postgresql_server.Server:
    """Return a PostgreSQL server that all processes of the tests share, or skip.

    ``postgresql.database()`` is the address of an empty database of one's own.
    """
    _need_postgresql()
    # What starts the processes of xdist outlives them all.
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    port = made_once("postgresql", lambda _: postgresql_server.start_shared(owner))
    return postgresql_server.Server(port)


@pytest.fixture
def own_postgresql() -> Iterator[postgresql_server.OwnServer]:
    """Return a PostgreSQL server of the test's own, to be stopped and started, or skip."""
    _need_postgresql()
    with postgresql_server.own_server() as server:
        yield server


def _need_postgresql() -> None:
    if reason := postgresql_server.why_not():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def faces(made_once: Callable[..., Path], make_faces: Callable[..., Path]) -> Path:
    """Return a folder with 40 real and 40 fake pictures of 40 people. Read it only."""
    return made_once("data", lambda folder: make_faces(folder / "faces", people=40))


@pytest.fixture(scope="session")
def dfdc_faces() -> Path:
    """Return the folder of real face crops beside the repository, or skip."""
    folder = ROOT.parent / "shared" / "data" / "dfdc_faces"
    if not (folder / "index.csv").is_file():
        pytest.skip("the DFDC face crops are not here")
    return folder


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., pd.DataFrame]:
    """Return a function that makes manifest rows: ``make_rows(4, split=[...], source_id=...)``.

    Without further columns every row is a labelled picture of its own group, classes in turn.
    """

    def make(count: int, **columns: object) -> pd.DataFrame:
        numbers = range(count)
        plain = {
            "path": [f"faces/{number}.jpg" for number in numbers],
            "label": [number % 2 for number in numbers],
            "media_type": "image",
            "video_id": [f"d/{number}" for number in numbers],
            "group_id": [f"g{number}" for number in numbers],
            "target_id": None,
            "source_id": None,
            "dataset": "d",
            "split": None,
            "frame": pd.array([None] * count, "Int64"),
            "track_id": pd.array([None] * count, "Int64"),
        }
        return pd.DataFrame({**plain, **columns}, index=numbers)

    return make


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """Return a function that writes a clip whose frames carry their number: ``make_clip(path)``.

    The upper half of frame n shows n in binary: eight columns, the lowest bit left, bright for
    1; below is a smooth gradient that changes from frame to frame. ``pictures`` (uint8 [H, W, 3]
    each) replaces them. ``times_ms`` dates the frames, ``rotation`` is the display matrix's, in
    degrees counterclockwise, and ``audio`` adds a silent track.
    """
    import av  # only tests with clips need it

    def make(
        path: Path,
        *,
        frames: int = 30,
        fps: int = 25,
        codec: str = "libx264",
        size: tuple[int, int] = (96, 64),
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        times_ms: Sequence[int] | None = None,
        pictures: Sequence[NDArray[np.uint8]] | None = None,
        rotation: int = 0,
        colorspace: int | None = None,
        audio: bool = False,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if pictures is None:
            pictures = [_numbered(number, size) for number in range(frames)]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pix_fmt
            stream.options = options or {}
            if rotation:
                stream.set_display_rotation(rotation)
            if colorspace is not None:
                stream.codec_context.colorspace = colorspace
            sound = container.add_stream("aac", rate=48000) if audio else None
            unit = Fraction(1, fps) if times_ms is None else Fraction(1, 1000)
            stream.codec_context.time_base = stream.time_base = unit
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                if colorspace is not None:
                    frame = frame.reformat(format=pix_fmt, dst_colorspace=colorspace)
                frame.pts = number if times_ms is None else times_ms[number]
                frame.time_base = unit
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            if sound is not None:
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
                )
                silence.sample_rate = 48000
                container.mux(sound.encode(silence))
                container.mux(sound.encode())
        return path

    return make


def _numbered(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    image[..., 0] = 60 + columns * 120 // width
    image[..., 1] = 60 + rows * 120 // height
    image[..., 2] = 60 + number * 8 % 120
    for bit in range(8):
        part = slice(bit * width // 8, (bit + 1) * width // 8)
        image[: height // 2, part] = 215 if number >> bit & 1 else 40
    return image


def _portrait(side: int) -> NDArray[np.uint8]:
    """Return the face of a public-domain portrait, RGB, ``side`` pixels high and wide."""
    from skimage.data import astronaut

    return np.asarray(cv2.resize(astronaut()[0:200, 120:320], (side, side)), np.uint8)


@pytest.fixture(scope="session")
def make_portrait_clip(make_clip: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that films a real face, or several side by side, drifting over a backdrop.

    ``make_portrait_clip(path, frames=12, faces=1, fake=False, seed=0)``; with ``fake`` the frames
    carry a fine grid, which can be learnt. 12 frames a second, 192 x 144 pixels or wider.
    """

    def film(faces: int, fake: bool, seed: int, number: int) -> NDArray[np.uint8]:
        coarse = np.random.default_rng(seed).integers(60, 190, (4, 6, 3)).astype(np.uint8)
        size = (max(192, 128 * faces), 144)
        image: NDArray[np.uint8] = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        for face in range(faces):
            x, y = 128 * face + 10 + number % 8, 20 + number % 4
            image[y : y + 100, x : x + 100] = _portrait(100)
        if fake:
            image[::4] = np.clip(image[::4].astype(np.int16) + 40, 0, 255)
        return image

    def make(
        path: Path, *, frames: int = 12, faces: int = 1, fake: bool = False, seed: int = 0
    ) -> Path:
        pictures = [film(faces, fake, seed, number) for number in range(frames)]
        return make_clip(path, pictures=pictures, fps=12, options={"crf": "18", "g": "6"})

    return make


@pytest.fixture(scope="session")
def portrait_clips(made_once: Callable[..., Path], make_portrait_clip: Callable[..., Path]) -> Path:
    """Return a folder of clips: 10 real and 10 fake of one face each, and odd ones. Read it only.

    ``fake/two.mp4`` shows two faces, ``real/none.mp4`` none, ``real/broken.mp4`` is text.
    """

    def film(folder: Path) -> Path:
        root = folder / "clips"
        for number in range(10):
            for name in ("real", "fake"):
                make_portrait_clip(root / name / f"p{number}.mp4", fake=name == "fake", seed=number)
        make_portrait_clip(root / "fake/two.mp4", faces=2, fake=True, seed=20)
        make_portrait_clip(root / "real/none.mp4", faces=0, seed=21)
        (root / "real/broken.mp4").write_text("not a video")
        return root

    return made_once("media", film)


@pytest.fixture(scope="session")
def tiny_flags(faces: Path) -> Callable[..., list[str]]:
    """Return a function that gives the flags of a tiny training into a workspace."""

    def flags(workspace: Path, *more: str) -> list[str]:
        return [*TINY, f"--data.root={faces}", f"--workspace={workspace}", *more]

    return flags


@pytest.fixture(scope="session")
def trained(made_once: Callable[..., Trained], tiny_flags: Callable[..., list[str]]) -> Trained:
    """Return a training of two epochs. Read its workspace only."""
    more = ("--trainer.max_epochs=2", "--model.test_time_flip=true")
    return made_once("trained", lambda folder: _train(folder, tiny_flags, *more))


@pytest.fixture(scope="session")
def released(made_once: Callable[..., Trained], tiny_flags: Callable[..., list[str]]) -> Trained:
    """Return a training whose best checkpoint is registered as v1.0.0. Read its workspace only."""
    splits = "--data.splits={train: 0.5, val: 0.2, calib: 0.1, test: 0.2}"
    more = ("--trainer.max_epochs=2", "--register=true", splits)
    return made_once("released", lambda folder: _train(folder, tiny_flags, *more))


@pytest.fixture
def calib_checkpoint(trained: Trained, tmp_path: Path) -> Path:
    """Return a checkpoint to calibrate: a copy, whose run's `test` split is `calib`, too.

    8 real and 8 fake pictures of 8 people: enough for 20 % of false alarms and misses. The labels
    of one person are the wrong way round, so that the detector makes mistakes.
    """
    from deepfake_lightning.schemas import read_manifest, write_manifest

    run = shutil.copytree(trained.result.run_dir, tmp_path / "run")
    manifest = read_manifest(run / "manifest.parquet")
    rows = manifest.rows.copy()
    rows["split"] = rows["split"].replace({"test": "calib"})
    calib = rows[rows["split"] == "calib"]
    swapped = calib.index[calib["group_id"] == calib["group_id"].iloc[0]]
    rows.loc[swapped, "label"] = 1 - rows.loc[swapped, "label"]
    write_manifest(manifest.with_rows(rows), run / "manifest.parquet")
    return run / "checkpoints" / trained.result.best_checkpoint.name


def _train(workspace: Path, tiny_flags: Callable[..., list[str]], *more: str) -> Trained:
    from deepfake_lightning.training.run import fit  # only tests that train need torch

    with _in_folder(workspace):
        return Trained(workspace, fit(["fit", *tiny_flags(workspace, *more)]))


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def crop_bundle(trained: Trained, made_once: Callable[..., Built]) -> Built:
    """Return a bundle of a network that is shown face crops. Read it only."""
    return made_once("crop", lambda folder: _build(trained, folder / "bundle"))


@pytest.fixture(scope="session")
def frame_bundle(
    portrait_clips: Path,
    tiny_flags: Callable[..., list[str]],
    made_once: Callable[..., Built],
) -> Built:
    """Return a bundle of a network that is shown faces found in clips. Read it only."""

    def build(root: Path) -> Built:
        from deepfake_lightning.data.extraction import extract, list_sources
        from deepfake_lightning.schemas import Extraction

        how = Extraction(sampling="even:4", size=64)
        extract(list_sources([portrait_clips]), [portrait_clips], root / "faces", how, workers=1)
        # One person is in all of the clips, which the audit of the data notices.
        alike = "--audit_allow=[near_copy]"
        more = (f"--data.root={root / 'faces'}", "--trainer.max_epochs=1", alike)
        return _build(_train(root, tiny_flags, *more), root / "bundle")

    return made_once("frame", build)


def _build(trained: Trained, folder: Path) -> Built:
    from deepfake_lightning.bundle.build import build_bundle

    build_bundle(trained.result.best_checkpoint, folder)
    return Built(folder, trained.result.best_checkpoint, trained.result.run_dir)


@pytest.fixture
def copy_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies a bundle for a test to change: ``copy_bundle(built)``."""

    def copy(built: Built) -> Path:
        return shutil.copytree(built.folder, tmp_path / "bundle")

    return copy


@pytest.fixture(scope="session")
def replace_file() -> Callable[[Path, str, bytes], None]:
    """Return a function that puts other bytes into a bundle, with hashes that fit them.

    It is what someone does who may change the list as well.
    """
    from deepfake_lightning.bundle.checksums import write_sums

    def replace(bundle: Path, name: str, data: bytes) -> None:
        (bundle / name).write_bytes(data)
        write_sums(bundle)

    return replace


@pytest.fixture
def make_key(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Return a function that makes a key to sign with: ``private, public = make_key("ada")``."""
    pytest.importorskip("model_signing", reason="the extra 'signing' is not installed")
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec

    def make(name: str, curve: Any = None, password: str | None = None) -> tuple[Path, Path]:
        key = ec.generate_private_key(curve or ec.SECP256R1())
        hidden = pem.BestAvailableEncryption(password.encode()) if password else pem.NoEncryption()
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        private.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, hidden))
        public.write_bytes(
            key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
        )
        return private, public

    return make


@pytest.fixture
def ask_signed() -> Callable[..., Path]:
    """Return a function that writes a workspace's policy of signatures."""

    def write(workspace: Any, *keys: Path, **more: Any) -> Path:
        path = workspace.deployment / "policy" / "signing.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"required": True, "keys": [*map(str, keys)], **more}))
        return path

    return write
