"""What ``data index`` says of what it found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from deepfake_lightning.data.layouts.collection import Indexed
from deepfake_lightning.schemas import LABELS, Manifest

_NAMES = 3
_LABELS = {**{value: name for name, value in LABELS.items()}, -1: "unknown"}


def record(parts: Sequence[Indexed], manifest: Manifest, out: Path) -> dict[str, Any]:
    """Return the summary as plain values: each root's, and the manifest's."""
    return {
        "out": str(out),
        "root": str(manifest.root),
        "rows": len(manifest),
        "policy": manifest.policy,
        "roots": [_of_root(part) for part in parts],
    }


def _of_root(part: Indexed) -> dict[str, Any]:
    rows = part.found.manifest.rows
    items = rows.drop_duplicates("video_id")
    labels = items["label"].fillna(-1).map(_LABELS)
    return {
        "root": str(part.root),
        "layout": part.layout.name,
        "title": part.layout.title,
        "rows": len(rows),
        "items": _counts(labels),
        "media": _counts(rows["media_type"]),
        "groups": int(rows["group_id"].nunique()),
        "identities": int(pd.concat([rows["target_id"], rows["source_id"]]).nunique()),
        "methods": _counts(items["method"]),
        "compressions": _counts(items["compression"]),
        "splits": _counts(items["split"].fillna("none")),
        "policy": part.found.manifest.policy,
        "skipped": _skipped(part.found.skipped.items()),
        "notes": list(part.found.notes),
    }


def _counts(values: pd.Series) -> dict[str, int]:
    counts = values.dropna().value_counts().sort_index()
    return {str(name): int(count) for name, count in counts.items()}


def _skipped(skipped: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the reasons, the most frequent first, with the first names of each."""
    names: dict[str, list[str]] = {}
    for name, reason in skipped:
        names.setdefault(reason, []).append(name)
    return [
        {"reason": reason, "count": len(listed), "first": sorted(listed)[:_NAMES]}
        for reason, listed in sorted(names.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    ]


def show(console: Console, record: dict[str, Any]) -> None:
    """Print the summary."""
    for part in record["roots"]:
        _show_root(console, part)
    several = f" ({record['rows']:,} rows of {len(record['roots'])} roots)"
    lines = [
        f"{record['out']}{several if len(record['roots']) > 1 else ''}: paths are below "
        f"{record['root']}, policy of the splits: {record['policy']}",
        f"next: {record['next']}",
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _show_root(console: Console, part: dict[str, Any]) -> None:
    title = f"{part['root']}: {part['title']}"
    console.print(title, highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    frames = "" if part["rows"] == sum(part["items"].values()) else f" ({part['rows']:,} files)"
    lines = {
        "items": _listed(part["items"]) + frames,
        "groups": f"{part['groups']:,}, with {part['identities']:,} people or original clips named",
        "methods": _listed(part["methods"]),
        "compression": _listed(part["compressions"]),
        "splits": _listed(part["splits"]) if set(part["splits"]) != {"none"} else "none",
    }
    for name, text in lines.items():
        if text:
            table.add_row(name, text)
    for note in part["notes"]:
        table.add_row("note", note)
    for entry in part["skipped"]:
        more = ", ..." if entry["count"] > _NAMES else ""
        text = f"{entry['count']:,}: {entry['reason']} ({', '.join(entry['first'])}{more})"
        table.add_row("skipped", text)
    console.print(table, highlight=False, markup=False)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
