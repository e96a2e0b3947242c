"""``data audit``: leaks and shortcuts, before anything is trained."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.progress import FileProgress
from deepfake_lightning.storage import atomic_write

if TYPE_CHECKING:
    from deepfake_lightning.data.audit import AuditReport

_REFUSED = 2
_FEATURES_SHOWN = 6
_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


def data_audit(
    root: str,
    allow: str = "",
    out: str | None = None,
    sample: int | None = None,
    group_pattern: str | None = None,
    workers: int | None = None,
    json: bool = False,
) -> int:
    """Look for leaks between splits and for shortcuts that give the label away.

    Errors (identities, clips or files in two splits, wrong labels) make it exit with 2, unless
    they are allowed by name; warnings and notes do not.

    Args:
        root: a manifest, or a folder of pictures or videos.
        allow: kinds of errors to let through, as the table names them, with commas between.
        out: an HTML page to write.
        sample: most items that are opened and measured (default: 20,000); names, labels and
            identical files are looked at in all of them.
        group_pattern: regular expression whose first group names the person or clip in a file's
            name, where nothing else does.
        workers: processes (default: as many as there are cores).
        json: print the report as JSON.
    """
    from deepfake_lightning.data.audit import audit, audit_page
    from deepfake_lightning.data.audit.findings import check_kinds
    from deepfake_lightning.data.audit.run import SAMPLE
    from deepfake_lightning.data.layouts import read_media

    allowed = [name.strip() for name in allow.split(",") if name.strip()]
    check_kinds(allowed)
    console = Console(stderr=json)
    manifest = read_media(Path(root), group_pattern=group_pattern)
    with FileProgress(console, "measuring") as bar:
        report = audit(
            manifest, sample=SAMPLE if sample is None else sample, workers=workers,
            started=bar.begin, progress=lambda: bar.advance_by(1),
        )  # fmt: skip
    if out is not None:
        with atomic_write(Path(out), "w") as file:
            file.write(audit_page(report, allowed))
    if json:
        record = {**report.to_dict(), "allowed": sorted(allowed), "page": out}
        sys.stdout.write(dumps(record, allow_nan=False) + "\n")
    else:
        _print(console, report, allowed, out)
    return _REFUSED if report.refused(allowed) else 0


def _print(console: Console, report: AuditReport, allow: list[str], out: str | None) -> None:
    from deepfake_lightning.data.audit.findings import SEVERITIES

    if report.findings:
        console.print(_findings(report, allow))
    if report.probe:
        console.print(_probe(report))
    counts = ", ".join(f"{severity}s: {len(report.of(severity))}" for severity in SEVERITIES)
    refused = report.refused(allow)
    lines = [
        f"{report.origin}: {report.measured:,} of {report.files:,} files measured",
        counts,
    ]
    if out is not None:
        lines.append(f"page: {out}")
    if refused:
        names = ",".join(dict.fromkeys(one.kind for one in refused))
        lines.append(f"next: {refused[0].next_step}; or let it through: --allow {names}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _findings(report: AuditReport, allow: list[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("finding", no_wrap=True)
    table.add_column("what", overflow="fold")
    for one in report.findings:
        allowed = "\nallowed" if one.severity == "error" and one.kind in allow else ""
        head = Text(one.severity, style=_COLOURS[one.severity])
        table.add_row(head.append(f"\n{one.kind}{allowed}", style="default"), Text(one.what))
    return table


def _probe(report: AuditReport) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("\nstatistic", no_wrap=True)
    for name in ("\nreal", "\nfake"):
        table.add_column(name, overflow="ellipsis", no_wrap=True, justify="right")
    for name in ("\nAUC", "95 %\ninterval", "gives it\naway"):
        table.add_column(name, no_wrap=True, justify="right")
    for one in report.probe[: _FEATURES_SHOWN + 1]:
        table.add_row(
            one.name, Text(one.real), Text(one.fake), f"{one.auc:.3f}",
            f"{one.low:.3f}-{one.high:.3f}", "yes" if one.gives_away else "",
        )  # fmt: skip
    return table
