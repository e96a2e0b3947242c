"""A data set goes to an object storage and comes from one: its manifest, and all that it names."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deepfake_lightning.data.layouts import manifest_file, read_media
from deepfake_lightning.errors import DataError
from deepfake_lightning.object_storage import (
    FileList,
    Item,
    Pushed,
    open_place,
    pull,
    push,
    read_list,
)
from deepfake_lightning.object_storage.file_list import item_of
from deepfake_lightning.object_storage.transfer import Progress, in_parallel
from deepfake_lightning.schemas import Manifest, read_manifest, write_manifest
from deepfake_lightning.schemas.manifest import METADATA
from deepfake_lightning.storage import write_json

MARK = "data.list"


@dataclass(frozen=True)
class Pulled:
    """What came of a pull.

    Attributes:
        files: what the data set consists of.
        fetched: how many of them were not here before.
        manifest: of it.
    """

    files: FileList
    fetched: int
    manifest: Manifest


def push_data(
    root: Path,
    url: str,
    *,
    overwrite: bool = False,
    resend: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Pushed:
    """Send a data set to an object storage, where it is seen once all of it is there.

    Its manifest goes along as it is, with paths relative to its own folder; a folder without one
    gets one. What no row names (the journal of an extraction, for one) stays here.

    Args:
        root: what :func:`~deepfake_lightning.data.layouts.read_media` reads.
        url: where to, a folder for this data set alone: ``s3://bucket/faces``.
        overwrite: put it in the place of another data set there.
        resend: send all files, also those that are there.
        progress: told what is done, how many bytes of it, and how many there are.

    Raises:
        UsageError: another data set is there; the address or the credentials are wrong.
        DataError: a file that a row names is missing, or changed meanwhile.
        StorageError: the storage is at fault; nothing new is seen there.
    """
    place = open_place(url)
    manifest = read_media(root)
    with TemporaryDirectory() as name:
        aside = Path(name)
        records = _records(manifest, root, aside)
        media = _media(manifest, progress)
        taken = {one.path for one in media} & {one.path for one in records}
        if taken:
            raise DataError(f"{manifest.root / min(taken)} is called as a record of a data set is",
                            next_step="rename it, in the manifest too")  # fmt: skip
        files = FileList.of("data", "", [*records, *media])
        names = {one.path for one in records}
        return push(
            place, MARK, files,
            lambda one: (aside if one.path in names else manifest.root) / one.path,
            replace=overwrite, resend=resend, progress=progress,
        )  # fmt: skip


def pull_data(
    url: str, folder: Path, *, progress: Progress = lambda what, done, total: None
) -> Pulled:
    """Bring a data set from an object storage; each file is held against its hash.

    Args:
        url: where it was pushed to.
        folder: the folder to be; one that holds just this already is left.
        progress: told what is done, how many bytes of it, and how many there are.

    Raises:
        UsageError: nothing was pushed there, or ``folder`` holds something else.
        DataError: what is there is damaged, or leads out of its folder.
        StorageError: the storage or this machine is at fault; the next call goes on.
    """
    place = open_place(url)
    files = read_list(place, MARK, "data")
    fetched = pull(place, files, folder, check=lambda one: _check(one, files, place.url),
                   progress=progress)  # fmt: skip
    table = manifest_file.table_of(folder)
    assert table is not None  # checked before it was put in place
    return Pulled(files, fetched, read_manifest(table))


def _records(manifest: Manifest, root: Path, aside: Path) -> list[Item]:
    """Write the manifest as it will be read elsewhere; return its files."""
    table = manifest_file.table_of(root)
    if table is None:
        write_manifest(replace(manifest, root=aside), aside / "manifest.parquet")
    else:
        shutil.copyfile(table, aside / f"manifest{table.suffix.lower()}")
        metadata = table.parent / METADATA
        if metadata.is_file():
            record = json.loads(metadata.read_text("utf-8"))
            write_json(aside / METADATA, {**record, "root": "."})
    return [item_of(path, path.name) for path in sorted(aside.iterdir())]


def _media(manifest: Manifest, progress: Progress) -> list[Item]:
    """Return the files that rows name, with their hashes."""
    names = sorted(set(manifest.rows["path"][manifest.usable()].astype(str)))
    done = 0

    def read(name: str) -> Item:
        try:
            return item_of(manifest.root / name, name)
        except OSError as error:
            raise DataError(
                f"{manifest.root / name} cannot be read: {error.strerror or error}",
                why=f"a row of {manifest.origin} names it, and half a data set is not pushed",
                next_step="put it back, or write a manifest without it",
            ) from error

    def told(name: str) -> None:
        nonlocal done
        done += 1
        progress("hashing", done, len(names))

    return in_parallel(read, names, told)


def _check(folder: Path, files: FileList, url: str) -> None:
    """Refuse what is no data set of its own: a manifest that leads elsewhere, or names too much."""
    table = manifest_file.table_of(folder)
    manifest = None if table is None else read_manifest(table)
    if manifest is None or manifest.root != folder.resolve():
        raise DataError(f"what was pushed to {url} has no manifest of its own files",
                        next_step="push it again with `deepfake-lightning data push`")  # fmt: skip
    names = {one.path for one in files.items}
    missing = set(manifest.rows["path"][manifest.usable()].astype(str)) - names
    if missing:
        raise DataError(
            f"what was pushed to {url} has no {min(missing)}, which its manifest names",
            next_step="push it again with `deepfake-lightning data push`",
        )
