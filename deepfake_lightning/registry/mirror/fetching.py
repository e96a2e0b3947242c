"""A version comes back from an MLflow server: checked like anything from outside, then registered.

Nothing that comes is run or unpickled. Names are those of the list of hashes, whose own hash the
digest is; each file is read up to a limit, and is what its hash says, or the whole is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import SUMS, read_sums
from deepfake_lightning.errors import MirrorError, StorageError, UsageError
from deepfake_lightning.registry.entries import read_registration
from deepfake_lightning.registry.folders import staging
from deepfake_lightning.registry.mirror.place import check_model, model_versions
from deepfake_lightning.registry.mirror.pushing import FILES, SIGNATURES
from deepfake_lightning.registry.mirror.records import DIGEST, VERSION
from deepfake_lightning.registry.mirror.server import Server
from deepfake_lightning.registry.record import Entry
from deepfake_lightning.registry.registering import Wish, check_wish, register_bundle
from deepfake_lightning.registry.signatures import SUFFIX, signatures_beside
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.version_names import canonical

MOST_MB = 2000.0
_MOST_FILES = 200
_MOST_LIST = 1 << 20
_MOST_SIGNATURES = 20
_SIGNATURE = re.compile(rf"[0-9a-f]{{16}}{re.escape(SUFFIX)}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Source:
    """Where a version comes from.

    Attributes:
        server: an open one.
        model: the registered model there.
        digest: what it has to be, from elsewhere than the server; None: as the server says.
        most_mb: of all its files, at most (10^6 bytes).
    """

    server: Server
    model: str
    digest: str | None = None
    most_mb: float = MOST_MB


def fetch(
    registry: Registry,
    version: str,
    source: Source,
    *,
    by: str | None = None,
    reason: str = "",
    progress: Progress = lambda what, done, total: None,
) -> Entry:
    """Register a version that a server has, with every byte and signature as it was.

    Raises:
        UsageError: the version is registered here already, or was; it is none; or the model is.
        MirrorError: the server has no such version, or another than its digest says.
        BundleError: what came is no whole bundle.
        StorageError: the machine refused; nothing was registered.
        MlflowException: the server refuses, or is away.
    """
    check_model(source.model)
    name = canonical(version)
    wish = Wish(name, reason=reason, by=by)
    check_wish(registry, wish)
    run, digest = _find(source, name)
    with staging(registry.models) as stage:
        folder = stage / "fetched"
        _take_bundle(source, run, digest, folder, progress)
        bundle = load_bundle(folder)
        record = read_registration(bundle)
        if bundle.digest != digest or record is None or record.version != name:
            raise _refused(name, f"its files are {record.version if record else 'unregistered'}")
        _take_signatures(source, run, signatures_beside(folder))
        progress("registering", 0, 0)
        return register_bundle(registry, folder, wish)


def _find(source: Source, name: str) -> tuple[str, str]:
    """Return the run that holds a version, and its digest."""
    found = [one for one in model_versions(source.server.client, source.model)
             if one.tags[VERSION] == name and _SHA256.fullmatch(one.tags[DIGEST])]  # fmt: skip
    wanted = source.digest
    if wanted is not None and not _SHA256.fullmatch(wanted):
        raise UsageError(f"{wanted[:80]!r} is no digest: 64 signs, 0-9 and a-f")
    fitting = [one for one in found if wanted in (None, one.tags[DIGEST])]
    if not fitting:
        raise MirrorError(
            f"{source.server.uri} has no {name} of {source.model}"
            + (f" with the digest {wanted[:16]}" if wanted and found else ""),
            next_step="look at what it has, or name the model: --model NAME",
        )
    if len({one.tags[DIGEST] for one in fitting}) > 1:
        raise MirrorError(
            f"{source.server.uri} has several detectors that are called {name}",
            why=", ".join(one.tags[DIGEST][:16] for one in fitting),
            next_step="say which one is meant: --digest SHA256",
        )
    digest = str(fitting[0].tags[DIGEST])
    if not fitting[0].run_id:
        raise _refused(name, "its run is not named")
    return str(fitting[0].run_id), digest


def _take_bundle(source: Source, run: str, digest: str, folder: Path, progress: Progress) -> None:
    left = int(source.most_mb * 1e6)
    _take(source, run, f"{FILES}/{SUMS}", folder / SUMS, min(_MOST_LIST, left), digest)
    sums, _ = read_sums(folder)  # whose names lead nowhere else
    if len(sums) > _MOST_FILES:
        raise _refused(folder.name, f"it has {len(sums):,} files, more than {_MOST_FILES}")
    _check_surplus(source, run, sums)
    for done, (name, sha) in enumerate(sums.items()):
        progress(f"fetching {name}", done, len(sums))
        left -= _take(source, run, f"{FILES}/{name}", folder / name, left, sha)


def _check_surplus(source: Source, run: str, sums: dict[str, str]) -> None:
    """Refuse a version beside whose files there are others: somebody has put them there."""
    folders = {PurePosixPath(FILES, name).parent.as_posix() for name in (*sums, SUMS)}
    known = {f"{FILES}/{name}" for name in (*sums, SUMS)} | folders
    for folder in sorted(folders):
        for one in source.server.client.list_artifacts(run, folder):
            if one.path not in known:
                raise _refused(repr(one.path)[:100], "it does not belong to the version")


def _take_signatures(source: Source, run: str, folder: Path) -> None:
    found = [one for one in source.server.client.list_artifacts(run, SIGNATURES) if not one.is_dir]
    names = [PurePosixPath(one.path).name for one in found]
    if len(names) > _MOST_SIGNATURES or not all(map(_SIGNATURE.fullmatch, names)):
        raise _refused(SIGNATURES, "there is more than signatures, or too many of them")
    for name in names:
        _take(source, run, f"{SIGNATURES}/{name}", folder / name, _MOST_LIST, None)


def _take(source: Source, run: str, place: str, path: Path, most: int, sha256: str | None) -> int:
    """Write an artifact to a file; return its length.

    Raises:
        MirrorError: it is longer than it may be, or another file than its hash says.
    """
    digest, length = hashlib.sha256(), 0
    answer: Any = source.server.get("/get-artifact", {"path": place, "run_uuid": run})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in answer.iter_content(_CHUNK):
                length += len(chunk)
                if length > most:
                    raise _refused(
                        place, f"it is longer than what is left of {source.most_mb:g} MB",
                        "if a version may be that large: --most_mb",
                    )  # fmt: skip
                digest.update(chunk)
                file.write(chunk)
    except OSError as error:
        if type(error).__module__.startswith(("requests", "urllib3")):
            raise
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}",
            why="nothing was registered", next_step="free space there, then run it again",
        ) from error  # fmt: skip
    finally:
        answer.close()
    if sha256 is not None and digest.hexdigest() != sha256:
        raise _refused(place, f"its SHA-256 is {digest.hexdigest()[:16]}, not {sha256[:16]}")
    return length


def _refused(what: str, fault: str, advice: str = "") -> MirrorError:
    return MirrorError(
        f"the server's {what} is not taken: {fault}",
        why="it was changed there, or is not a mirror of a registry; nothing was registered",
        next_step=advice
        or "where it was registered, send it again: deepfake-lightning registry "
        "mirror VERSION --resend true",
    )
