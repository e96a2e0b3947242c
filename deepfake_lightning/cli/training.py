"""``fit``, ``validate`` and ``test``: LightningCLI, and a table of what it left."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.table import Table

from deepfake_lightning.cli.paths import near

if TYPE_CHECKING:
    from deepfake_lightning.callbacks import EvaluationReport
    from deepfake_lightning.training import RunResult

_NOT_FOR_USERS = (
    ".*does not have many workers.*",  # the data module chooses them
    ".*is smaller than the logging interval.*",
    ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run goes on in its folder
    ".*LeafSpec.*is deprecated.*",
    ".*Please add the following callbacks.*",  # those of fit have no part in scoring
    ".*The dirpath has changed from.*",
    ".*it is recommended to use `Trainer\\(devices=1.*",  # what a sampler repeats counts once
)
T = TypeVar("T")


def fit(args: list[str]) -> int:
    """Train; print where things are; 130 where it was interrupted, 1 where the checkpoint was to be
    registered and could not be.
    """
    from deepfake_lightning.training.run import fit as run_fit

    result = without_chatter(lambda: run_fit(["fit", *args]))
    _once(_print_result)(result)
    if result.not_registered is not None:
        raise result.not_registered
    return 130 if result.status == "interrupted" else 0


def validate(args: list[str]) -> int:
    """Score a checkpoint on ``val``."""
    return _score("validate", args)


def test(args: list[str]) -> int:
    """Score a checkpoint on ``test``."""
    return _score("test", args)


def _score(verb: str, args: list[str]) -> int:
    from deepfake_lightning.training.lightning_cli import TrainingCLI

    cli = without_chatter(lambda: TrainingCLI([verb, *args]))
    report = cli.evaluation_report
    assert report is not None
    _once(_print_report)(verb, report)
    if report.looks > 1:
        Console().print(
            f"the test split of these data has been scored {report.looks} times: what is chosen by "
            "it is not measured by it", soft_wrap=True,
        )  # fmt: skip
    return 0


def _once(printing: Callable[..., None]) -> Callable[..., None]:
    """Let the first of several processes speak for all."""
    from lightning.pytorch.utilities import rank_zero_only

    return rank_zero_only(printing)


def without_chatter(action: Callable[[], T]) -> T:
    """Run with Lightning's chatter off."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for pattern in _NOT_FOR_USERS:
            warnings.filterwarnings("ignore", pattern)
        return action()


def _print_result(result: RunResult) -> None:
    lines: list[tuple[str, str]] = []
    if result.best_score is not None:
        lines.append((f"best {result.monitor}", f"{result.best_score:.4f}"))
    if result.best_checkpoint is not None:
        lines.append(("best checkpoint", near(result.best_checkpoint)))
    if result.last_checkpoint is not None:
        lines.append(("last checkpoint", near(result.last_checkpoint)))
    if result.run_dir is not None:
        lines.append(("run's record", near(result.run_dir / "run.json")))
        logs = near(result.run_dir.parent.parent)
        if result.report is not None:
            lines.append(("report of val", near(result.report / "report.html")))
        lines.append(("curves and pictures", f"tensorboard --logdir {logs}"))
    if result.registered is not None:
        lines.append(("registered as", result.registered))
        lines += [("note", note) for note in result.notes]
        if result.test_report is not None:
            lines.append(("report of test", near(result.test_report / "report.html")))
        lines.append(("next", f"deepfake-lightning registry show {result.registered}"))
    elif result.status == "interrupted" and result.last_checkpoint is not None:
        command = f"deepfake-lightning fit --ckpt_path {near(result.last_checkpoint)}"
        lines.append(("next", command))
    elif result.best_checkpoint is not None:
        command = f"deepfake-lightning test --ckpt_path {near(result.best_checkpoint)}"
        lines.append(("next", command))
    text = "\n".join(f"  {what:<21}{where}" for what, where in lines)  # commands are to be copied
    Console().print(
        f"{result.status}: {result.stop_reason}\n{text}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _print_report(verb: str, report: EvaluationReport) -> None:
    split = {"validate": "val", "test": "test"}[verb]
    table = Table(title=f"{split} split", title_justify="left", box=None)
    for column in ("metric", "frames", "items"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, value in report.values.items():
        if not name.startswith("item_"):
            items = report.values.get(f"item_{name}") if name != "loss" else ""
            table.add_row(name, _number(value), _number(items))
    console = Console()
    console.print(table)
    if report.unscored:
        counts = ", ".join(f"{n:,} {status}" for status, n in sorted(report.unscored.items()))
        console.print(f"without a score, and in none of these figures: {counts}")
    if report.folder is not None:
        page = near(report.folder / "report.html")
        console.print(f"report: {page}", highlight=False, soft_wrap=True)
    if verb == "test" and report.checkpoint is not None:
        command = f"deepfake-lightning evaluate {report.checkpoint}"
        console.print(f"next: {command}", highlight=False, markup=False, soft_wrap=True)


def _number(value: float | str | None) -> str:
    if value is None:
        return "undefined"
    return value if isinstance(value, str) else f"{value:.4f}"
