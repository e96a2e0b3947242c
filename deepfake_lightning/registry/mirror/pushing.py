"""Versions go to an MLflow server: what is there already stays, what is missing is added."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.checksums import SUMS, read_sums
from deepfake_lightning.bundle.load import PROVENANCE
from deepfake_lightning.registry.entries import read_measured
from deepfake_lightning.registry.mirror.aliases import tell_what_serves
from deepfake_lightning.registry.mirror.place import Names, Place
from deepfake_lightning.registry.mirror.records import MIRRORED, metrics_of, params_of, tags_of
from deepfake_lightning.registry.mirror.server import Server
from deepfake_lightning.registry.record import Entry
from deepfake_lightning.registry.signatures import signatures_of, whole_signatures
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.storage import lock

FILES, SIGNATURES = "bundle", "signatures"  # folders of a run's artifacts
_BATCH = 90  # parameters at once; MLflow takes 100
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Mirrored:
    """What became of one version.

    Attributes:
        version: its name here.
        number: of the model's version there.
        run: id of its run there.
        changed: whether anything was added or changed.
    """

    version: str
    number: str
    run: str
    changed: bool


def mirror(
    registry: Registry,
    server: Server,
    versions: Sequence[str] = (),
    names: Names | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    resend: bool = False,
) -> list[Mirrored]:
    """Tell a server of versions; a second time changes nothing, and one cut short goes on.

    What is gone there, or has another length, is sent again; what is damaged otherwise is not seen
    unless all is sent again. Each version is verified before. What was deleted here stays there.
    Two workspaces that mirror the same version at the same moment may make two runs of it.

    Args:
        registry: of the workspace.
        server: that is told.
        versions: which; none: all.
        names: what things are called there.
        progress: told what is done, how much of it is, and how much there is.
        resend: send all files, also those that are there.

    Raises:
        UsageError: there is no such version.
        RegistryError, BundleError: one is not what was registered; those before it are mirrored.
        StorageError: another process mirrors this registry.
        MlflowException: the server refuses, or is away.
    """
    names = names or Names()
    wanted = [registry.get(one) for one in versions] or registry.entries()
    with lock(registry.root / "mirror"):
        place = Place(server.client, names)
        done = []
        for number, entry in enumerate(wanted):
            progress(f"mirroring {entry.version}", number, len(wanted))
            done.append(_mirror_one(registry, place, entry, resend))
        tell_what_serves(registry, place)
    return done


def _mirror_one(registry: Registry, place: Place, entry: Entry, resend: bool) -> Mirrored:
    bundle = registry.bundle(entry.version)
    files = _files(registry, bundle)
    provenance, measured = bundle.read_json(PROVENANCE), read_measured(bundle)
    tags = tags_of(entry, provenance, measured)
    run = place.run_of(entry)
    state = _state(files, tags)
    news = run.data.tags.get(MIRRORED) != state
    if news:
        params, metrics = params_of(provenance), metrics_of(measured)
        _tell(place.client, run, params, metrics, tags)
    signatures = {name for name in files if news and name.startswith(SIGNATURES)}
    changed = _send(place.client, run, files, set(files) if resend else signatures) or news
    if news:
        place.client.set_tag(run.info.run_id, MIRRORED, state)  # last: all of it is there
    version = place.versions().get(entry.digest)
    if version is None:
        source = f"{run.info.artifact_uri.rstrip('/')}/{FILES}"
        version, changed = place.client.create_model_version(
            place.model, source, run.info.run_id, tags, description=_words(entry),
            await_creation_for=0,
        ), True  # fmt: skip
    return Mirrored(entry.version, version.version, run.info.run_id, changed)


def _files(registry: Registry, bundle: Bundle) -> dict[str, tuple[Path, str]]:
    """Return place among the artifacts -> file and its SHA-256."""
    sums, digest = read_sums(bundle.folder)
    found = {f"{FILES}/{name}": (bundle.folder / name, sha) for name, sha in sums.items()}
    found[f"{FILES}/{SUMS}"] = (bundle.folder / SUMS, digest)
    for one in whole_signatures(signatures_of(registry.root, bundle.folder.name)):
        found[f"{SIGNATURES}/{one.path.name}"] = (one.path, hashlib.sha256(one.data).hexdigest())
    return found


def _state(files: Mapping[str, tuple[Path, str]], tags: Mapping[str, str]) -> str:
    """Return a hash of all that a run is to hold."""
    content = {"files": {name: sha for name, (_, sha) in files.items()}, "tags": dict(tags)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _tell(
    client: Any,
    run: Any,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    known, id = run.data, run.info.run_id
    at = run.info.start_time
    new = [Param(name, text) for name, text in params.items() if name not in known.params]
    for first in range(0, len(new), _BATCH):
        client.log_batch(id, params=new[first : first + _BATCH])
    client.log_batch(
        id,
        metrics=[Metric(name, value, at, 0) for name, value in metrics.items()
                 if known.metrics.get(name) != value],
        tags=[RunTag(name, text) for name, text in tags.items() if known.tags.get(name) != text],
    )  # fmt: skip
    if run.info.status != "FINISHED":
        client.set_terminated(id, "FINISHED", at)


def _send(
    client: Any, run: Any, files: Mapping[str, tuple[Path, str]], again: Collection[str]
) -> bool:
    """Send what is not there in its whole length, and these files again; return whether any was.

    What a file there is says its hash when it comes back.
    """
    id = run.info.run_id
    folders = {PurePosixPath(name).parent.as_posix() for name in files}
    there = {one.path: one.file_size for folder in folders
             for one in client.list_artifacts(id, folder) if not one.is_dir}  # fmt: skip
    sent = [name for name, (path, _) in files.items()
            if name in again or there.get(name) != path.stat().st_size]  # fmt: skip
    for name in sent:
        client.log_artifact(id, str(files[name][0]), PurePosixPath(name).parent.as_posix())
    return bool(sent)


def _words(entry: Entry) -> str:
    of = entry.registration
    return f"{of.version}, registered by {of.by} on {of.registered[:10]}" + (
        f": {of.reason}" if of.reason else ""
    )
