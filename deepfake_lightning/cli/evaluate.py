"""``evaluate``: how good is this detector, on what, and how sure is that?"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable
from deepfake_lightning.cli.progress import FileProgress
from deepfake_lightning.cli.reports import check_options, refuse_unused, report_folder
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.evaluation.report import Evaluation
    from deepfake_lightning.evaluation.report.record import Breakdown

_GROUPS_SHOWN = 12
_HEADLINE = ("auroc", "average_precision", "eer", "tpr_at_fpr_1", "balanced_accuracy", "log_loss")


def evaluate(
    target: str,
    data: str | None = None,
    split: str | None = None,
    columns: str | None = None,
    attributes: str | None = None,
    by: str | None = None,
    prevalence: float = 0.01,
    least: int = 20,
    embed_media: bool = False,
    robustness: bool = False,
    robustness_items: int | None = None,
    out: str | None = None,
    run: str | None = None,
    runtime: Literal["auto", "onnx", "torch"] = "auto",
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    already_cropped: bool | None = None,
    workers: int | None = None,
    draws: int = 2000,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Measure a detector on a split, and write a report to hand on.

    Scores through the engine of production, and measures frames, face tracks and items, each with
    95 % intervals over people; by method, data set and any other column; at every threshold of its
    calibration. What was trained on is refused; every look at the test split is counted. Exit
    codes: 0 measured, whatever came out; 2 wrong use, 1 the machine's fault, 130 interrupted.

    Args:
        target: a version, a bundle, a checkpoint, the report of an evaluation, or a table of scores
            of any detector.
        data: a manifest or a folder of media (default: the data of its training).
        split: of the data (default: test).
        columns: which columns of another detector's table are what:
            'id=clip,score=prob,label=target,fake=FAKE,scale=probability'.
        attributes: a table (video_id or path, and further columns) of what is known of the items,
            to break results down by.
        by: further columns to break results down by, 'camera,skin_tone'.
        prevalence: share of fakes in the field; it says how many alarms will be true.
        least: items of a class that a group needs to be compared.
        embed_media: put the faces of the worst mistakes into the page.
        robustness: score some items under degradations as well (JPEG, H.264 of clips, shrinking,
            blur, noise, colours, two chains like those of platforms); a clip takes a minute or so.
        robustness_items: how many, at most, drawn by group, half of each class where there are
            enough (default: 300).
        out: folder to write the report to; it must not hold anything (default: a new one under
            evaluation/reports in the workspace).
        run: folder of the training, where a bundle or checkpoint lies elsewhere.
        runtime: 'onnx' or 'torch' (default: ONNX for bundles on the CPU).
        device: cpu, cuda, cuda:1, ...
        precision: of PyTorch.
        already_cropped: the pictures show one face each (default: as `predict` takes them).
        workers: processes (default: as many as there are cores).
        draws: resamples of the groups.
        workspace: where the workspace is (default: mlops).
        json: print the report as JSON, and nothing else.
    """
    check_options(draws, workers, out)
    place = Workspace.find(workspace)
    from deepfake_lightning.evaluation.report import evaluate as measure
    from deepfake_lightning.evaluation.report.measure import check_settings
    from deepfake_lightning.evaluation.robustness.plan import Plan
    from deepfake_lightning.evaluation.subjects.peers import PeerColumns
    from deepfake_lightning.evaluation.subjects.scored_split import refuse_unlabelled
    from deepfake_lightning.evaluation.subjects.targets import subject_of

    if robustness_items is not None and not robustness:
        raise UsageError(
            f"--robustness_items {robustness_items} would have no part in anything",
            next_step="add --robustness true, or leave it out",
        )
    plan = None
    if robustness:
        items = Plan.items if robustness_items is None else robustness_items
        plan = Plan(items, pictures=embed_media)
    asked = "true" if robustness else None
    refuse_unused([target], place, data=data, split=split, run=run, robustness=asked)
    check_settings(prevalence, least)
    columns_asked = [name.strip() for name in by.split(",") if name.strip()] if by else []
    _check_early(target, place, attributes, columns_asked)
    console = Console(stderr=json)
    with FileProgress(console, "listing the files") as bar:
        subject = subject_of(
            target, workspace=place, data=data, split=split or "test",
            columns=PeerColumns.parse(columns) if columns else None, attributes=attributes,
            run=run, runtime=runtime, device=device, precision=precision, workers=workers,
            already_cropped=already_cropped, robustness=plan, command="evaluate",
            phase=lambda what, number: bar.begin(number, what),
            progress=lambda _: bar.advance_by(0),
        )  # fmt: skip
        refuse_unlabelled(subject.predictions, subject.name)
        bar.begin(0, "measuring")
        found = measure(
            subject, prevalence=prevalence, least=least, draws=draws,
            by=columns_asked,
        )  # fmt: skip
    folder = _write(found, out, place, embed_media)
    if found.robustness is not None:
        from deepfake_lightning.evaluation.robustness.ledger import record_robustness

        record_robustness(place, found.subject, found.robustness)
    if json:
        record = {**found.to_dict(), "folder": str(folder)}
        sys.stdout.write(dumps(record, allow_nan=False) + "\n")
    else:
        _print(console, found, folder)
    return 0


def _check_early(
    target: str, place: Workspace, attributes: str | None, columns: Sequence[str]
) -> None:
    """Find what is wrong before an hour of scoring, and before a look at the split is counted."""
    from deepfake_lightning.evaluation.report.subgroups import check_columns
    from deepfake_lightning.evaluation.subjects.attributes import attribute_columns
    from deepfake_lightning.evaluation.subjects.targets import find_target

    known = attribute_columns(Path(attributes)) if attributes else []
    if find_target(target, place).is_scored:
        check_columns(columns, known)


def _write(found: Evaluation, out: str | None, workspace: Workspace, embed: bool) -> Path:
    from deepfake_lightning.evaluation.report import write_report

    name = re.sub(r"[^\w.-]+", "_", found.subject.name).strip("_.")[:60] or "detector"
    with report_folder(out, workspace, f"evaluate-{name}") as (folder, aside):
        write_report(aside, found, embed_media=embed)
    return folder


def _print(console: Console, found: Evaluation, folder: Path) -> None:
    from deepfake_lightning.evaluation.report.sections import facts, headline

    console.print(_metrics(found))
    for one in found.breakdowns:
        if len(one.subgroups) > 1:
            console.print(_breakdown(found, one))
    if found.robustness is not None:
        from deepfake_lightning.cli.evaluate_robustness import robustness_table

        console.print(robustness_table(found.robustness))
    lines = [*headline(found), *_worst(found), f"measured on: {facts(found)}"]
    lines += [f"note: {note}" for note in found.subject.notes]
    if found.subject.is_demo:
        lines.append("this detector was trained on drawn faces: it says nothing of real ones")
    page = near(folder / "report.html")
    lines += [f"page: {page}", f"next: deepfake-lightning compare {near(folder)} ANOTHER"]
    text = "\n".join(printable(line) for line in lines)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _worst(found: Evaluation) -> Sequence[str]:
    from deepfake_lightning.evaluation.robustness.words import (
        threshold_words,
        unmade_words,
        worst_words,
    )

    one = found.robustness
    return () if one is None else (*worst_words(one), *threshold_words(one), *unmade_words(one))


def _metrics(found: Evaluation) -> Table:
    from deepfake_lightning.evaluation.report.sections import shown_levels
    from deepfake_lightning.evaluation.words import NAMES, with_interval

    table = Table(box=None, pad_edge=False)
    table.add_column("metric (95 %)", no_wrap=True)
    levels = [level for level in shown_levels(found) if level != "track"]
    for level in levels:
        table.add_column(f"{level}s", no_wrap=True)
    for name in _HEADLINE:
        cells = [with_interval(found.results[level].metrics[name]) for level in levels]
        if any(cell != "undefined" for cell in cells) or name == "auroc":
            table.add_row(NAMES[name], *cells)
    return table


def _breakdown(found: Evaluation, one: Breakdown) -> Table:
    from deepfake_lightning.evaluation.words import number, share

    heads = ["real", "fake", "no score", "AUROC"]
    if found.kinds:
        heads += ["missed"] if one.shared_reals else ["false alarms", "missed"]
    table = Table(box=None, pad_edge=False)
    table.add_column(Text(printable(f"by {one.column}")), overflow="fold")
    for head in heads:
        table.add_column(head, justify="right")
    for group in one.subgroups[:_GROUPS_SHOWN]:
        rates = [share(group.false_alarms.value), share(group.missed.value)]
        row = [f"{group.real:,}", f"{group.fake:,}", f"{group.unscored:,}",
               number(group.auroc.value), *rates[2 - len(heads[4:]) :]]  # fmt: skip
        table.add_row(Text(printable(group.value)), *row)
    if (more := len(one.subgroups) - _GROUPS_SHOWN) > 0:
        table.add_row(f"... and {more:,} more on the page")
    return table
