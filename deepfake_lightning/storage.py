"""Files that are whole or absent: atomic writes, locks, hashes, the workspace's paths."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp
from typing import IO, Any

from filelock import FileLock, Timeout

from deepfake_lightning.errors import StorageError, UsageError

WORKSPACE_VARIABLE = "DEEPFAKE_WORKSPACE"
LOG_VARIABLE = "DEEPFAKE_LOG"
# In the folder of a training, beside its checkpoints/.
RUN_CONFIG, RUN_MANIFEST, RUN_RECORD = "config.yaml", "manifest.parquet", "run.json"
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Workspace:
    """Where things lie on disk, in the operators' names.

    Args:
        root: the folder all else is below. The default is ``$DEEPFAKE_WORKSPACE``,
            or ``mlops`` in the current folder.
    """

    root: Path

    @classmethod
    def find(cls, root: str | Path | None = None) -> Workspace:
        """Return the workspace at ``root``, at ``$DEEPFAKE_WORKSPACE``, or at ``mlops``."""
        return cls(Path(root or os.environ.get(WORKSPACE_VARIABLE) or "mlops"))

    @property
    def data(self) -> Path:
        """Videos, images and manifests."""
        return self.root / "data"

    @property
    def runs(self) -> Path:
        """TensorBoard logs, checkpoints and saved configurations of trainings."""
        return self.root / "runs"

    @property
    def tuning(self) -> Path:
        """Sweeps: a folder a study."""
        return self.root / "tuning"

    @property
    def registry(self) -> Path:
        """Registered versions, and their index."""
        return self.root / "registry"

    @property
    def deployment(self) -> Path:
        """What serves where, how it came to, and why."""
        return self.root / "deployment"

    @property
    def environments(self) -> Path:
        """What serves where: ``staging.json``, ``production.json``."""
        return self.deployment / "config"

    @property
    def serving(self) -> Path:
        """What the server keeps: tokens, jobs, uploads under way."""
        return self.root / "serving"

    @property
    def monitoring(self) -> Path:
        """The prediction log, and what is made of it."""
        return self.root / "monitoring"

    def prediction_log(self, given: str | None = None) -> str | Path:
        """Return where the prediction log is: a path, or a database's URL.

        Args:
            given: what a command was given; None: ``$DEEPFAKE_LOG``, which other users of the
                machine do not see as they see a command's flags, or a file in the workspace.

        Raises:
            UsageError: it is empty.
        """
        if given is not None and not given.strip():
            raise UsageError("--log is empty", next_step="pass a path or a database URL")
        place = given or os.environ.get(LOG_VARIABLE)
        return place or self.monitoring / "predictions.db"

    @property
    def retraining(self) -> Path:
        """When and why detectors were trained again."""
        return self.root / "retraining"

    @property
    def reports(self) -> Path:
        """Evaluation reports."""
        return self.root / "evaluation" / "reports"


def run_of(checkpoint: Path) -> Path | None:
    """Return the run's folder that a checkpoint lies in, None where it was taken elsewhere.

    What happens to lie near a copied checkpoint is not its run's.
    """
    run = checkpoint.parent.parent
    inside = checkpoint.parent.name == "checkpoints"
    return run if inside and (run / RUN_CONFIG).is_file() else None


@contextmanager
def atomic_write(path: Path, mode: str = "wb", *, rights: int = 0o644) -> Iterator[IO[Any]]:
    """Open a file beside ``path`` and move it there once it is complete on disk.

    A crash, an exception or a full disk leaves what was at ``path`` before.

    Args:
        path: the file to write; its folder is created.
        mode: ``"wb"`` or ``"w"`` (UTF-8).
        rights: of the file, as chmod has them.

    Raises:
        StorageError: the machine refused the write (disk full, no permission).
    """
    encoding = None if "b" in mode else "utf-8"
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            mode, dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED, delete=False,
            encoding=encoding,
        ) as file:  # fmt: skip
            aside = Path(file.name)
            fcntl.flock(file, fcntl.LOCK_EX)  # held as long as its writer lives
            yield file
            file.flush()
            os.fsync(file.fileno())
            aside.chmod(rights)  # temporary files are private; most that they become are not
            aside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}",
            why="nothing was changed: what was there before is intact",
            next_step="free space or fix permissions there, then run the command again",
        ) from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone may read, with its folder; one that exists is left.

    SQLite takes an empty file for a new database, and gives its other files the same rights.

    Raises:
        StorageError: the machine refused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StorageError(
            f"{path} could not be made: {error.strerror or error}",
            next_step="free space or fix permissions there",
        ) from error


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left of files that they were writing with :func:`atomic_write`.

    What a living process writes is locked, and stays.
    """
    for path in folder.glob(f".*{_UNFINISHED}"):
        # A writer locks its file right after it has made it.
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(file.fileno()).st_mtime > 1.0:
                path.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside ``path`` to fill, and move it there once that is done.

    Args:
        path: the folder to be; it must not exist, or be empty.

    Raises:
        StorageError: the machine refused; nothing is left behind.
    """
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        yield aside
        aside.chmod(0o755)  # temporary folders are private; what they become is not
        aside.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}",
            why="nothing was left behind",
            next_step="free space or fix permissions there, then run the command again",
        ) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def atomic_new_folder(parent: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """Give a folder to fill, and the name it will have once that is done.

    Args:
        parent: where the folder will be.
        name: of it; a number is added where it is taken (:func:`new_folder`).

    Yields:
        The folder to be, taken already, and the one to fill.

    Raises:
        StorageError: the machine refused; nothing is left behind.
    """
    folder = new_folder(parent, name)
    try:
        with atomic_folder(folder) as aside:
            yield folder, aside
    except BaseException:
        with suppress(OSError):
            folder.rmdir()  # empty, unless it is done
        raise


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write ``record`` as indented JSON, atomically. NaN is refused: undefined is null."""
    with atomic_write(path, "w") as file:
        file.write(json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def end_line(path: Path) -> None:
    """End a torn last line, so that what is written next stands on a line of its own."""
    if path.is_file() and path.stat().st_size:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append ``record`` as a line of JSON, flushed to the disk, after the end of a torn line.

    The caller holds the :func:`lock` of ``path``, and may read there what it has written.

    Raises:
        StorageError: the disk refuses.
    """
    line = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        end_line(path)
        with path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}",
            next_step="free space or fix permissions there, then run the command again",
        ) from error


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def lock(path: Path, timeout: float = 60.0) -> Iterator[None]:
    """Hold the lock that guards ``path`` (a ``.lock`` file beside it).

    Args:
        path: what is guarded; it need not exist.
        timeout: seconds to wait for another holder before giving up.

    Raises:
        StorageError: another process held it all that time, or no lock can be made there.
    """
    # A workspace may be a group's.
    guard = FileLock(f"{path}.lock", timeout=timeout, mode=0o664)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        guard.acquire()
    except Timeout as error:
        raise StorageError(
            f"{path} is locked by another process (waited {timeout:g} s)",
            why="two commands that change the same thing at once would lose one change",
            next_step="wait for the other command to end, then run this one again",
        ) from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be locked: {error.strerror or error}",
            next_step="fix permissions there, then run the command again",
        ) from error
    try:
        yield
    finally:
        guard.release()


def is_locked(path: Path) -> bool:
    """Return whether somebody holds :func:`lock` of ``path`` now; nothing is made or changed.

    Raises:
        StorageError: it cannot be told.
    """
    try:
        with Path(f"{path}.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise StorageError(
            f"whether {path} is locked cannot be told: {error.strerror or error}",
            next_step="fix permissions there, then run the command again",
        ) from error
    return False


def new_folder(parent: Path, name: str) -> Path:
    """Create ``parent/name``, or ``parent/name_2``, ``_3``, ... where it exists.

    ``mkdir`` decides, so two processes never get the same folder.

    Raises:
        StorageError: no folder can be made there.
    """
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise StorageError(
                f"the folder {folder} could not be made: {error.strerror or error}",
                next_step="fix permissions there or choose another place",
            ) from error
        else:
            return folder
