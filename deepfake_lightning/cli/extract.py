"""``extract``: face crops out of videos and pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table

from deepfake_lightning.cli.cluster_choice import chosen_cluster
from deepfake_lightning.cli.progress import FileProgress
from deepfake_lightning.errors import DataError
from deepfake_lightning.schemas import LABELS, Extraction, FaceSearch, Manifest
from deepfake_lightning.schemas.settings import from_settings
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.data.extraction import Entry, Summary

_SHOWN = 20
_LABEL_HINT = " (they come from folders real/ and fake/ below what is named, or from --label)"


def extract(
    *inputs: str,
    out: str | None = None,
    faces: Literal["yunet", "none"] = "yunet",
    sampling: str = "even:16",
    label: Literal["real", "fake"] | None = None,
    group_pattern: str | None = None,
    size: int | None = None,
    margin: float = 1.3,
    picture_format: Literal["jpg", "png"] = "jpg",
    quality: int = 95,
    balance: bool = False,
    face_search: FaceSearch = FaceSearch(),  # noqa: B008  (it is frozen)
    workers: int | None = None,
    shard: str = "1/1",
    timeout: float = 3600.0,
    prune: bool = False,
    engine: Literal["local", "ray"] = "local",
    ray_address: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Take face crops, or whole frames, out of videos and pictures, and write their manifest.

    Labels come from folders named real and fake, from a manifest or from --label; media without
    one are 'unknown'. Stopped at any moment, the same command goes on where it was. A file that
    cannot be read does not stop the others: a table at the end names it.

    Args:
        inputs: videos, pictures, manifests, and folders of them (default: data/videos in the
            workspace).
        out: folder for pictures and manifest (default: data/images in the workspace).
        faces: 'yunet' finds faces and cuts them out; 'none' keeps whole frames.
        sampling: frames of each clip: even:16 (16, evenly spaced), every:0.5 (one each half
            second), keyframes, all.
        label: of media that come without one.
        group_pattern: regular expression whose first group names the person or clip in a file's
            name, where nothing else does.
        size: side of the crops, pixels (default: 224); of whole frames the longest side (default:
            as they come).
        margin: side of a crop over the longer side of its face's box.
        picture_format: of the files; png loses nothing.
        quality: of JPEG files, 1 to 100.
        balance: take fewer frames from each clip of the class that has more clips.
        face_search: which faces are found and kept.
        workers: processes (default: as many as there are cores, here or in the cluster).
        shard: do part 3 of 16 of the work with 3/16; other machines do the others.
        timeout: seconds that one file may take.
        prune: remove the pictures of files that are no longer there.
        engine: 'local' works on this machine, 'ray' on a Ray cluster, with the same results. All of
            its machines have to see media and --out under the same paths.
        ray_address: of the cluster's head, 10.0.0.1:6379, or auto on one of its machines (default:
            $RAY_ADDRESS, or a Ray of this machine alone, started and ended by this command).
            Whoever reaches a cluster's ports runs code on it: keep them in a private network.
        workspace: where the workspace is (default: mlops).
        json: print the summary as JSON.
    """
    from deepfake_lightning.data import extraction

    place = Workspace.find(workspace)
    roots = [Path(name) for name in inputs or [str(place.data / "videos")]]
    folder = Path(out) if out else place.data / "images"
    settings = from_settings(
        Extraction,
        {name: f"--{name}" for name in Extraction.model_fields},
        faces=face_search if faces == "yunet" else None,
        margin=margin,
        sampling=sampling,
        size=224 if size is None and faces == "yunet" else size,
        picture_format=picture_format,
        quality=quality,
        balance=balance,
    )
    sources = extraction.list_sources(roots, label=label, group_pattern=group_pattern)
    console = Console(stderr=json)
    with (
        chosen_cluster(engine, ray_address, workers, console) as cluster,
        FileProgress(console, "extracting") as bar,
        _told_to_go_on(console),
    ):
        summary = extraction.extract(
            sources, roots, folder, settings, workers=workers, shard=shard, timeout=timeout,
            prune=prune, cluster=cluster, started=bar.begin,
            progress=lambda outcome: bar.advance_by(outcome.frames),
        )  # fmt: skip
    record = _record(summary, folder, prune)
    if json:
        sys.stdout.write(dumps(record) + "\n")
    else:
        _print_summary(console, summary, record)
    if summary.entries and not summary.count("ok"):
        raise DataError(
            f"none of {len(summary.entries)} files gave a picture",
            next_step=f"see the reasons above, or {folder / extraction.FAILURES}",
        )
    return 0


@contextmanager
def _told_to_go_on(console: Console) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        console.print("what is done is kept: the same command goes on from here")
        raise


def _record(summary: Summary, folder: Path, prune: bool) -> dict[str, Any]:
    manifest = summary.manifest
    return {
        "out": str(folder),
        "files": len(summary.entries),
        "done_now": summary.done_now,
        "ok": summary.count("ok"),
        "no_face": summary.count("no_face"),
        "unreadable": summary.count("unreadable"),
        "damaged_in_part": sum(
            e.outcome.status == "ok" and e.outcome.reason is not None for e in summary.entries
        ),
        "gone": summary.gone,
        "pruned": prune,
        "pictures": summary.pictures,
        "pictures_by_label": None if manifest is None else _by_label(manifest),
        "missing": summary.missing,
        "manifest": None if manifest is None else str(manifest.origin),
    }


def _by_label(manifest: Manifest) -> dict[str, int]:
    names = {value: name for name, value in LABELS.items()}
    labels = manifest.rows.loc[manifest.usable(), "label"].map(names).fillna("unknown")
    return {str(name): int(count) for name, count in labels.value_counts().sort_index().items()}


def _print_summary(console: Console, summary: Summary, record: dict[str, Any]) -> None:
    if summary.failures:
        console.print(_failure_table(summary.failures))
    before = record["files"] - record["done_now"]
    lines = [
        f"{record['out']}: {record['pictures']:,} pictures of {record['ok']:,} files"
        f" ({record['no_face']:,} without a face, {record['unreadable']:,} unreadable)"
    ]
    if before:
        lines.append(f"{before:,} files were done before")
    if record["damaged_in_part"]:
        lines.append(f"{record['damaged_in_part']:,} files are damaged in part: what could be "
                     "decoded is there")  # fmt: skip
    if record["gone"]:
        kept = "removed" if record["pruned"] else "kept, and in no manifest (--prune true removes)"
        lines.append(f"{record['gone']:,} files are no longer there; their pictures are {kept}")
    if summary.missing:
        lines.append(f"{summary.missing:,} files of other shards are not done yet; the manifest is "
                     "written by the last")  # fmt: skip
    elif summary.manifest is None:
        lines.append("another process is at work on its shard, and writes the manifest at its end")
    elif record["ok"]:
        counts = ", ".join(f"{v:,} {k}" for k, v in record["pictures_by_label"].items())
        hint = "" if record["pictures_by_label"].keys() - {"unknown"} else _LABEL_HINT
        lines.append(f"labels: {counts}{hint}")
        lines.append(f"next: deepfake-lightning data show {record['out']}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _failure_table(failures: list[Entry]) -> Table:
    table = Table(title=f"{len(failures):,} files without a picture", title_justify="left",
                  box=None)  # fmt: skip
    for column in ("file", "status", "reason"):
        table.add_column(column, overflow="fold")
    for entry in failures[:_SHOWN]:
        table.add_row(entry.key, entry.outcome.status, entry.outcome.reason or "")
    if len(failures) > _SHOWN:
        table.add_row(f"... and {len(failures) - _SHOWN:,} more", "", "see failures.csv")
    return table
