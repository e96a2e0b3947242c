"""The folder of a report: a page, Markdown, the record and the scores, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deepfake_lightning.evaluation.markdown import markdown_table, markdown_text
from deepfake_lightning.evaluation.report.mistakes import with_pictures
from deepfake_lightning.evaluation.report.page import evaluation_page
from deepfake_lightning.evaluation.report.record import Evaluation
from deepfake_lightning.evaluation.report.sections import facts, headline, sections
from deepfake_lightning.schemas.table import write_table
from deepfake_lightning.storage import write_json

PREDICTIONS = "predictions.parquet"
RECORD = "report.json"


def write_report(folder: Path, found: Evaluation, *, embed_media: bool = False) -> None:
    """Write ``report.html``, ``report.md``, ``report.json`` and ``predictions.parquet``.

    Args:
        folder: an empty folder, which the caller makes visible as a whole.
        found: what was measured.
        embed_media: put the faces of the worst mistakes into the page.
    """
    if embed_media:
        found = replace(found, mistakes=with_pictures(found.mistakes, found.subject))
    (folder / "report.html").write_text(evaluation_page(found), "utf-8")
    (folder / "report.md").write_text(evaluation_markdown(found), "utf-8")
    write_table(folder / PREDICTIONS, found.subject.predictions)  # with the columns users added
    write_json(folder / RECORD, found.to_dict())


def evaluation_markdown(found: Evaluation) -> str:
    """Return the report without its charts, for pull requests and model cards."""
    blocks = [f"# Evaluation of {markdown_text(found.subject.name)}", markdown_text(facts(found))]
    if found.subject.is_demo:
        blocks.append("**Demo: trained on drawn faces; its scores say nothing of real ones.**")
    blocks += [f"**{markdown_text(line)}**" for line in headline(found)]
    if found.subject.notes:
        blocks.append("\n".join(f"- {markdown_text(note)}" for note in found.subject.notes))
    for one in sections(found):
        blocks += [f"## {markdown_text(one.title)}", *map(markdown_text, one.text)]
        if one.rows:
            blocks.append(markdown_table(one.heads, one.rows))
    return "\n\n".join(blocks) + "\n"
