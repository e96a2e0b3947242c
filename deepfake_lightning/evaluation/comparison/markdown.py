"""A comparison as Markdown, for pull requests and model cards: the numbers of the page."""

from __future__ import annotations

from deepfake_lightning.evaluation.comparison.record import Comparison
from deepfake_lightning.evaluation.comparison.tables import (
    detector_rows,
    difference_rows,
    disagreement_rows,
    left_out_rows,
    matching,
    matrix_rows,
    metric_rows,
)
from deepfake_lightning.evaluation.comparison.words import METHOD
from deepfake_lightning.evaluation.markdown import markdown_table, markdown_text


def comparison_markdown(found: Comparison) -> str:
    """Return the report without its charts."""
    notes = [*found.notes]
    notes += [f"{one.name}: {note}" for one in found.detectors for note in one.notes]
    blocks = ["# Comparison"]
    blocks += [f"**{markdown_text(found.says(pair))}**" for pair in found.with_baseline]
    blocks += ["\n".join(f"- {markdown_text(note)}" for note in notes), "## Metrics"]
    blocks.append(markdown_table(*metric_rows(found)))
    blocks.append("## Differences")
    blocks += [markdown_table(*difference_rows(pair)) for pair in found.with_baseline]
    if len(found.detectors) > 2:
        blocks += ["## All pairs", "AUROC of the row less that of the column."]
        blocks.append(markdown_table(*matrix_rows(found)))
    blocks.append("## Where they disagree most")
    if found.disagreements:
        blocks += [f"A score is {found.apart_by}.", markdown_table(*disagreement_rows(found))]
    else:
        blocks.append("Nowhere: all scores are the same.")
    blocks += [
        "## What was compared",
        markdown_table(*detector_rows(found)),
        markdown_text(matching(found)),
    ]
    heads, rows = left_out_rows(found)
    blocks.append(markdown_table(heads, rows) if rows else "Nothing was left out.")
    tests = f"{found.tests} tests, {found.draws:,} resamples, seed {found.seed}."
    return "\n\n".join([*blocks, "## Method", *METHOD, tests]) + "\n"
