"""``predict``: score pictures and clips."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.cluster_choice import chosen_cluster
from deepfake_lightning.cli.detector_choice import check_one, path_of, registered_bundle
from deepfake_lightning.cli.printable import printable
from deepfake_lightning.cli.progress import FileProgress
from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas.assessment import MEANING, NOT_COVERED, Assessment
from deepfake_lightning.schemas.items import items_path

if TYPE_CHECKING:
    from deepfake_lightning.inference.tally import Tally

SHOWN = 30
SOME_UNREADABLE = 3


def predict(
    *inputs: str,
    version: str | None = None,
    bundle: str | None = None,
    ckpt_path: str | None = None,
    out: str | None = None,
    overlay: str | None = None,
    already_cropped: bool | None = None,
    runtime: Literal["auto", "onnx", "torch"] = "auto",
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    workers: int | None = None,
    timeout: float = 600.0,
    overwrite: bool = False,
    engine: Literal["local", "ray"] = "local",
    ray_address: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Score pictures and clips with a detector, and say what the scores come to.

    Files that cannot be read, or show no face, are in the results with their reason. With --out a
    stopped run goes on where it was. Exit codes: 0 everything was looked at, 3 some files could
    not be read, 2 wrong use, 1 the machine's fault, 130 interrupted. What was found is in none of
    them.

    Args:
        inputs: pictures, videos, folders, manifests, and patterns such as 'clips/**/*.mp4'.
        version: of the registry, v1.0.0, or the environment that one serves: production.
        bundle: folder of the detector's bundle, instead.
        ckpt_path: a checkpoint instead, scored through PyTorch.
        out: predictions table to write, a row a face (.parquet, .csv, .json); beside it the items
            table, a row a picture or clip (scores.items.parquet).
        overlay: folder for pictures with boxes and scores; of clips, the frames with the highest
            scores.
        already_cropped: the pictures show one face each, cut out already (default: those of
            extracted data sets; where the detector was trained on crops of unknown making, those
            of all data sets with labels, and others in which a face is seen).
        runtime: 'onnx' or 'torch' (default: ONNX for bundles on the CPU).
        device: cpu, cuda, cuda:1, ...
        precision: of PyTorch.
        workers: processes (default: as many as there are cores, here or in the cluster).
        timeout: seconds that one file may take.
        overwrite: replace a table that exists.
        engine: 'local' works on this machine, 'ray' on the CPUs of a Ray cluster, with the same
            results. All of its machines have to see media, registry and --overlay under the same
            paths.
        ray_address: of the cluster's head, 10.0.0.1:6379, or auto on one of its machines (default:
            $RAY_ADDRESS, or a Ray of this machine alone, started and ended by this command).
            Whoever reaches a cluster's ports runs code on it: keep them in a private network.
        workspace: where the registry is (default: mlops).
        json: print a line of JSON for each item as it is done, and nothing else.
    """
    if not inputs:
        raise UsageError("nothing to score", next_step="name pictures, videos or folders")
    if overlay:
        _refuse_among_inputs(overlay, inputs)
    from deepfake_lightning.inference.archive import score_archive
    from deepfake_lightning.inference.items import Archive, read_inputs
    from deepfake_lightning.inference.opening import EngineSource
    from deepfake_lightning.inference.worker import opened

    check_one(version=version, bundle=bundle, ckpt_path=ckpt_path)
    registered = None if version is None else registered_bundle(version, workspace)
    source = EngineSource(
        path_of(bundle) if registered is None else registered.folder, path_of(ckpt_path),
        runtime, device, precision, digest=None if registered is None else registered.digest,
    )  # fmt: skip
    detector = opened(source)  # before all else: it may be damaged
    console = Console(stderr=json)
    with (
        chosen_cluster(engine, ray_address, workers, console, device) as cluster,
        FileProgress(console, "listing the files") as bar,
        _told_to_go_on(console, out),
    ):
        archive = Archive(read_inputs(inputs), already_cropped)

        def report(found: Assessment | None) -> None:
            bar.advance_by(0 if found is None else found.examined.frames if found.examined else 1)
            if json and found is not None:
                sys.stdout.write(dumps(found.to_dict()) + "\n")
                sys.stdout.flush()

        tally = score_archive(
            archive, source, Path(out) if out else None,
            overlays=Path(overlay) if overlay else None, workers=workers, timeout=timeout,
            overwrite=overwrite, shown=SHOWN, cluster=cluster, progress=report,
            phase=lambda what, number: bar.begin(number, what),
        )  # fmt: skip
    if not json:
        _print(console, tally, detector.is_demo, out, overlay)
    return SOME_UNREADABLE if tally.statuses["unreadable"] else 0


def _refuse_among_inputs(overlay: str, inputs: Sequence[str]) -> None:
    place = Path(overlay).resolve()
    for given in inputs:
        parts = Path(given).parts
        plain = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts))
        folder = Path(given) if Path(given).exists() else Path(*parts[:plain])
        if folder.is_dir() and place.is_relative_to(folder.resolve()):
            raise UsageError(
                f"--overlay {overlay} lies in {folder}",
                why="whoever scores that folder again, or goes on, would score the drawn pictures",
                next_step="name a folder elsewhere",
            )


@contextmanager
def _told_to_go_on(console: Console, out: str | None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        kept = "what is done is kept: the same command goes on from here"
        console.print(kept if out else "nothing is kept: pass --out to be able to go on")
        raise


def _print(
    console: Console, tally: Tally, is_demo: bool, out: str | None, overlay: str | None
) -> None:
    top, failures = tally.top, tally.failures
    console.print(_table(top, len(tally)))
    if failures:
        console.print(_failures(failures, tally.statuses["no_face"] + tally.statuses["unreadable"]))
    lines = [_counts(tally)]
    if tally.done_before:
        lines.append(f"{tally.done_before:,} items were scored before")
    lines += [f"* {items:,} of them: {note}" for note, items in tally.notes.most_common()]
    verdicts = [verdict for verdict in tally.verdicts if verdict != "not_assessable"]
    lines += [f"{_said(verdict)}: {MEANING[verdict]}" for verdict in verdicts]  # type: ignore[index]
    lines += [f"guaranteed: {text}" for text in tally.guarantees]
    lines.append(f"not covered: {NOT_COVERED}")
    if is_demo:
        lines.append(
            "this detector was trained on drawn faces: its scores say nothing of real ones"
        )
    places = {"faces": out, "items": out and items_path(Path(out)), "pictures": overlay}
    lines += [f"{name}: {place}" for name, place in places.items() if place]  # fmt: skip
    if not out:
        lines.append("next: pass --out scores.parquet to keep them")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _table(records: list[dict[str, Any]], items: int) -> Table:
    folder = _shared_folder([record["name"] for record in records])
    about = [f"the {len(records)} highest scores of {items:,} items"] if items > SHOWN else []
    about += [f"in {folder}"] if folder else []
    title = _plain(", ".join(about)) if about else None
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("item", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("verdict")
    for column in ("faces", "tracks", "frames"):
        table.add_column(column, justify="right")
    for record in records:
        looked = record["examined"]
        table.add_row(
            _plain(record["name"].removeprefix(folder)) + (" *" if record["notes"] else ""),
            f"{record['score']:.3f}",
            _said(record["verdict"]),
            str(record["faces"]),
            str(len(record["tracks"])),
            f"{looked['frames']} of {looked['frames_in_clip']:,}" if looked else "",
        )
    return table


def _shared_folder(names: list[str]) -> str:
    """Return the folder, with its slash, that all names begin with; nothing for a single one."""
    if len(names) < 2:
        return ""
    if len({name.startswith("/") for name in names}) > 1:
        return ""
    folder = os.path.commonpath([os.path.dirname(name) for name in names])  # noqa: PTH120
    return f"{folder}/" if folder and all(n.startswith(f"{folder}/") for n in names) else ""


def _failures(records: list[dict[str, Any]], count: int) -> Table:
    table = Table(title=f"{count:,} items without a score", title_justify="left", box=None)
    table.add_column("item", overflow="fold")
    table.add_column("status")
    table.add_column("reason", overflow="fold")
    for record in records:
        reason = str(record["reason"]).removeprefix(record["name"]).strip(": ")
        table.add_row(_plain(record["name"]), record["status"], _plain(reason))
    if count > len(records):
        table.add_row(f"... and {count - len(records):,} more", "", "")
    return table


def _counts(tally: Tally) -> str:
    parts = [f"{tally.statuses['ok']:,} scored", f"{tally.statuses['no_face']:,} without a face",
             f"{tally.statuses['unreadable']:,} unreadable"]  # fmt: skip
    return f"{len(tally):,} items: {', '.join(parts)}"


def _plain(text: str) -> Text:
    """Return text of others as it is: no brackets that style it, nothing that moves the cursor."""
    return Text(printable(text))


def _said(verdict: str | None) -> str:
    return (verdict or "no verdict").replace("_", " ")
