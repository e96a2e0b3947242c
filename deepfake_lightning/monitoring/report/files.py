"""A report's files: HTML, Markdown, JSON."""

from __future__ import annotations

import json
from pathlib import Path

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.markdown import markdown_table, markdown_text
from deepfake_lightning.monitoring.report.findings import findings
from deepfake_lightning.monitoring.report.page import about, facts, report_page
from deepfake_lightning.monitoring.report.record import MonitoringReport
from deepfake_lightning.monitoring.report.sections import sections
from deepfake_lightning.storage import atomic_folder, atomic_write

KINDS = (".html", ".md", ".json")
NAME = "monitoring"


def check_place(out: Path) -> None:
    """Refuse a place where a report cannot be written, before anything is read.

    Raises:
        UsageError: something is there already.
    """
    if out.is_dir() and out.suffix not in KINDS and not any(out.iterdir()):
        return
    if out.exists():
        raise UsageError(
            f"--report {out} is there already",
            why="another report may be in it",
            next_step="name a new folder, or a new file that ends with .html, .md or .json",
        )


def write_report(report: MonitoringReport, out: Path) -> Path:
    """Write a report, all of it or nothing.

    Args:
        report: what is in it.
        out: a file that ends with ``.html``, ``.md`` or ``.json``, or a folder, new or empty, for
            all three.

    Returns:
        The file to look at.

    Raises:
        UsageError: something is there already.
        StorageError: it could not be written.
    """
    check_place(out)
    if out.suffix in KINDS:
        with atomic_write(out, "w") as file:
            file.write(_written(report, out.suffix))
        return out
    with atomic_folder(out) as aside:
        for kind in KINDS:
            (aside / f"{NAME}{kind}").write_text(_written(report, kind), "utf-8")
    return out / f"{NAME}.html"


def _written(report: MonitoringReport, kind: str) -> str:
    if kind == ".html":
        return report_page(report)
    if kind == ".md":
        return report_markdown(report)
    return json.dumps(report.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def report_markdown(report: MonitoringReport) -> str:
    """Return the report without its charts."""
    blocks = [f"# Monitoring report: {markdown_text(about(report))}", markdown_text(facts(report))]
    for one in findings(report):
        step = f" {one.next_step}" if one.next_step else ""
        blocks.append(f"- **{one.weight}**: {markdown_text(one.says + step)}")
    for section in sections(report):
        blocks += [f"## {section.title}", *(markdown_text(one) for one in section.text)]
        if section.rows:
            blocks.append(markdown_table(section.heads, section.rows))
    return "\n\n".join(blocks) + "\n"
