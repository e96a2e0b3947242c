"""``data split``: each person into one split."""

from __future__ import annotations

import sys
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from deepfake_lightning.cli.paths import near
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import atomic_write

if TYPE_CHECKING:
    from deepfake_lightning.data.splits import SplitReport
    from deepfake_lightning.schemas import Manifest

_SHOWN = 12


def data_split(
    root: str,
    out: str | None = None,
    shares: dict[str, float] | None = None,
    seed: int = 0,
    protocol: str | None = None,
    unit: Literal["auto", "group", "identity"] = "auto",
    page: str | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write a manifest in which nobody stands on two sides: train, val, calib, test and gate.

    Every fake ties its target to its source, and all that is tied stands in one split. Where that
    ties everybody to everybody, people are split instead, and fakes of people of two splits are
    set aside as 'quarantine'. Labels and methods are spread evenly. The same seed gives the same
    splits, whatever the order of the rows.

    Args:
        root: a manifest, an index, or a folder of media.
        out: the manifest to write (.csv or .parquet), or its folder (default: the input's folder
            with _split behind its name).
        shares: of train, val, calib, test and gate (default: {train: 0.65, val: 0.1, calib: 0.05,
            test: 0.15, gate: 0.05}).
        seed: of the draw.
        protocol: random; official (the data's own splits, with their leaks counted);
            leave-one-method-out:NAME (or NAME,CHOOSER: fakes of CHOOSER stand in val and calib
            alone, so that nothing is chosen on a method that is trained on); cross-dataset:A->B.
            Default: official where the manifest's splits are, and random otherwise.
        unit: what stays whole: a group (all that is tied), an identity (a person), or, with
            auto, groups as long as the largest holds at most half of a data set.
        page: an HTML page to write with the same tables.
        overwrite: replace the manifest at --out.
        json: print the numbers as JSON.
    """
    from deepfake_lightning.data.layouts import read_media
    from deepfake_lightning.data.splits import (
        SHARES,
        SplitPolicy,
        report,
        split_manifest,
        split_page,
    )
    from deepfake_lightning.schemas import write_manifest

    manifest = read_media(Path(root))
    target = _target(manifest, Path(root), out, overwrite)
    splitting = split_manifest(manifest, SplitPolicy(protocol, unit, shares or SHARES, seed))
    found, made = report(splitting), splitting.manifest
    write_manifest(made, target, split_seed=splitting.seed)
    if page is not None:
        with atomic_write(Path(page), "w") as file:
            file.write(split_page(found, str(manifest.origin), made.content_hash()))
    if json:
        record = {"out": str(target), "page": page, **asdict(found)}
        sys.stdout.write(dumps(record) + "\n")
    else:
        _print(found, made, target, page)


def _target(manifest: Manifest, root: Path, out: str | None, overwrite: bool) -> Path:
    """Return the file to write: never over a manifest, unless that is asked for.

    Raises:
        UsageError: something is there; or the metadata.json beside it is another manifest's.
    """
    from deepfake_lightning.schemas.manifest import METADATA

    folder = root.parent if root.is_file() else root
    path = Path(out) if out else folder.resolve().with_name(f"{folder.resolve().name}_split")
    if path.suffix.lower() not in (".csv", ".parquet"):
        parquet = manifest.origin.suffix.lower() == ".parquet"
        path = path / ("manifest.parquet" if parquet else "manifest.csv")
    if path.exists() and not overwrite:
        raise UsageError(
            f"{path} exists already",
            next_step="pass another --out, or --overwrite true to replace it",
        )
    if not path.exists() and (path.parent / METADATA).exists():
        raise UsageError(
            f"{path.parent} holds another manifest, whose {METADATA} would be lost",
            next_step="pass a folder of its own with --out",
        )
    return path


def _print(found: SplitReport, manifest: Manifest, target: Path, page: str | None) -> None:
    console = Console()
    console.print(_table(found.splits))
    if found.methods:
        console.print("\nitems of each method of fakes")
        console.print(_table(found.methods[:_SHOWN]))
    left = len(found.methods) - _SHOWN
    lines = [f"... and {left} more methods (--page FILE has all)"] if left > 0 else []
    lines.append("")
    seed = "nothing was drawn" if found.seed is None else f"seed {found.seed}"
    lines.append(f"{near(target)}: {len(manifest):,} rows; policy {found.policy}; {seed}")
    lines += [f"note: {note}" for note in found.notes]
    for name, sides in list(found.examples.items())[:5]:
        lines.append(f"  {name} stands in {' and '.join(sides)}")
    if page is not None:
        lines.append(f"page: {page}")
    lines.append(f"next: deepfake-lightning {_next(manifest, near(target))}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _next(manifest: Manifest, target: str) -> str:
    if (manifest.rows["media_type"] == "video").any():
        name = Path(target).parent if Path(target).parent.name else Path(target).stem
        return f"extract {target} --out {name}_faces"
    return f"fit --config configs/lite0.yaml --data.root {target}"


def _table(rows: list[dict[str, object]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(rows[0]):
        words = name in ("split", "label", "method")
        table.add_column(
            name,
            justify="left" if words else "right",
            overflow="fold",
            min_width=None if number == 0 else len(name),
        )
    for row in rows:
        cells = (f"{value:,}" if isinstance(value, int) else str(value) for value in row.values())
        table.add_row(*cells)
    return table
