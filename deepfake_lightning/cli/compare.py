"""``compare``: is this detector better than the other one?"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from deepfake_lightning.cli.progress import FileProgress
from deepfake_lightning.cli.reports import check_options, refuse_unused, report_folder
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace, write_json

if TYPE_CHECKING:
    from deepfake_lightning.evaluation.comparison.record import Comparison
    from deepfake_lightning.evaluation.subject import Subject
    from deepfake_lightning.metrics import PairedDifference

NOT_MET = 4


def compare(
    *targets: str,
    data: str | None = None,
    split: str | None = None,
    out: str | None = None,
    columns: str | None = None,
    runtime: Literal["auto", "onnx", "torch"] = "auto",
    device: str = "cpu",
    already_cropped: bool | None = None,
    workers: int | None = None,
    draws: int = 2000,
    require: Literal["better", "not_worse"] | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Compare detectors on the items that all of them scored: better, worse, or cannot tell.

    The first is the baseline. Differences are paired, their intervals are over groups (people),
    and verdicts are corrected for there being several. Exit codes: 0 compared, whatever came out;
    4 what --require asks for is not met; 2 wrong use, 1 the machine's fault, 130 interrupted.

    Args:
        targets: two or more: versions of the workspace (lite0/v1.0.0, or v1.0.0 alone), bundles,
            checkpoints, reports of evaluations, tables of scores.
        data: what is scored, a manifest or a folder (default: each one's own).
        split: of the data (default: test).
        out: folder to write report.html, report.md and report.json to; it must not hold anything
            (default: a new one under evaluation/reports in the workspace).
        columns: which columns of other people's tables are what:
            'id=clip,score=prob,label=target,fake=FAKE,scale=probability'.
        runtime: 'onnx' or 'torch' (default: ONNX for bundles on the CPU).
        device: cpu, cuda, cuda:1, ...
        already_cropped: the pictures show one face each, cut out already (default: as each
            detector's own data were taken).
        workers: processes (default: as many as there are cores).
        draws: resamples of the groups.
        require: exit with 4 unless the second is 'better' than the first in AUROC, or 'not_worse':
            not shown to be worse, which few items make easy. Undefined meets neither.
        workspace: where the workspace is (default: mlops).
        json: print the report as JSON, and nothing else.
    """
    if len(targets) < 2:
        raise UsageError(
            f"{len(targets) or 'no'} detectors make no comparison",
            next_step="name two or more: deepfake-lightning compare A B",
        )
    check_options(draws, workers, out)
    place = Workspace.find(workspace)
    from deepfake_lightning.cli.compare_summary import print_comparison, say_not_met
    from deepfake_lightning.evaluation.comparison.compare import compare as compared
    from deepfake_lightning.evaluation.subjects.peers import PeerColumns
    from deepfake_lightning.evaluation.subjects.targets import subject_of

    mapping = PeerColumns.parse(columns) if columns else None
    # Before the first is scored, which may take an hour.
    refuse_unused(targets, place, data=data, split=split)
    console = Console(stderr=json)
    subjects: list[Subject] = []
    with FileProgress(console, "listing the files") as bar:
        for target in targets:
            subjects.append(
                subject_of(
                    target, workspace=place, data=data, split=split or "test", columns=mapping,
                    runtime=runtime, device=device, workers=workers, command="compare",
                    already_cropped=already_cropped,
                    phase=lambda what, number: bar.begin(number, what),
                    progress=lambda _: bar.advance_by(0),
                )
            )  # fmt: skip
    found = compared(subjects, draws=draws)
    folder = _write(found, out, place)
    met = require is None or meets(found.pairs[0].headline, require)
    if json:
        record = {**found.to_dict(), "require": require, "met": met, "folder": str(folder)}
        sys.stdout.write(dumps(record, allow_nan=False) + "\n")
    else:
        print_comparison(console, found, folder)
    if not met:
        say_not_met(found, str(require))
    return 0 if met else NOT_MET


def meets(one: PairedDifference, require: Literal["better", "not_worse"]) -> bool:
    """Whether a difference is what was asked for; without a p nothing is."""
    if one.p is None:
        return False
    return one.verdict == "better" if require == "better" else one.verdict != "worse"


def _write(found: Comparison, out: str | None, workspace: Workspace) -> Path:
    """Write the three reports into a folder, whole or not at all."""
    from deepfake_lightning.evaluation.comparison.markdown import comparison_markdown
    from deepfake_lightning.evaluation.comparison.page import comparison_page

    name = _slug([one.name for one in found.detectors])
    with report_folder(out, workspace, name) as (folder, aside):
        (aside / "report.html").write_text(comparison_page(found), "utf-8")
        (aside / "report.md").write_text(comparison_markdown(found), "utf-8")
        write_json(aside / "report.json", found.to_dict())
    return folder


def _slug(names: Sequence[str]) -> str:
    plain = [re.sub(r"[^\w.-]+", "_", name).strip("_.")[:40] for name in names[:3]]
    more = f"-and-{len(names) - 3}" if len(names) > 3 else ""
    return f"compare-{'-'.join(plain)}{more}"
