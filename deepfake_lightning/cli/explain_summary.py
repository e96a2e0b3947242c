"""What ``explain`` does and says around the explanations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.cli.reports import report_folder
from deepfake_lightning.errors import MediaError
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.evaluation.explanation.explain import Explainer
    from deepfake_lightning.evaluation.explanation.record import ExplainedItem, Explanation


def explain_all(
    explainer: Explainer, files: Sequence[Path], already_cropped: bool | None, console: Console
) -> list[ExplainedItem]:
    """Explain files, with a bar.

    Raises:
        MediaError: none of them has a score.
    """
    with _progress(console) as bar:
        items = [
            _explained(
                explainer, path, already_cropped, bar,
                f"{number} of {len(files)}: " if len(files) > 1 else "",
            )
            for number, path in enumerate(files, start=1)
        ]  # fmt: skip
    _refuse_nothing(items)
    return items


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip


def _explained(
    explainer: Explainer, path: Path, already_cropped: bool | None, bar: Progress, which: str
) -> ExplainedItem:
    task = bar.add_task("", total=1)

    def tell(what: str, done: int, total: int) -> None:
        bar.update(task, description=which + what, completed=done, total=total)

    item = explainer.explain(path, already_cropped=already_cropped, progress=tell)
    bar.remove_task(task)
    return item


def _refuse_nothing(items: Sequence[ExplainedItem]) -> None:
    if any(item.faces for item in items):
        return
    first = items[0].found
    reason = str(first.reason).removeprefix(first.name).strip(": ")
    more = f" (nor have {len(items) - 1} more)" if len(items) > 1 else ""
    raise MediaError(
        f"{first.name} has no score to explain{more}: {reason}",
        next_step="pass --already_cropped true for pictures that are face crops"
        if first.status == "no_face"
        else "try to open it in a player; `predict` says the same of it",
    )


def write(found: Explanation, out: str | None, workspace: Workspace) -> Path:
    """Write an explanation, and return its folder."""
    from deepfake_lightning.evaluation.explanation.files import write_explanation

    first = Path(found.items[0].found.name).stem
    name = re.sub(r"[^\w.-]+", "_", first).strip("_.")[:60] or "file"
    with report_folder(out, workspace, f"explain-{name}") as (folder, aside):
        write_explanation(aside, found)
    return folder


def print_explanation(console: Console, found: Explanation, folder: Path) -> None:
    """Print a table, what the checks of the maps came to, and what maps permit to say."""
    from deepfake_lightning.evaluation.explanation.curves import KINDS
    from deepfake_lightning.evaluation.explanation.files import FACES, PAGE
    from deepfake_lightning.evaluation.explanation.words import (
        MEANING,
        PERMITS,
        checked_line,
        randomised_line,
    )

    console.print(_table(found))
    checked = [item for item in found.items if item.randomised]
    lines = []
    if checked:
        deletion, insertion = ([one for item in checked for one in item.checks(kind)]
                               for kind in KINDS)  # fmt: skip
        lines.append(checked_line(deletion, insertion))
        alike = max(checked, key=lambda item: item.randomised[-1].strength or 0)
        name = f", most alike in {Path(alike.found.name).name}" if len(checked) > 1 else ""
        lines.append(f"{randomised_line(alike.randomised)}{name}")
    lines += [f"{MEANING}.", f"{PERMITS}."]
    if found.is_demo:
        lines.append("this detector was trained on drawn faces: it says nothing of real ones")
    lines += [f"pictures: {near(folder / FACES)}", f"page: {near(folder / PAGE)}"]
    say(console, lines)


def _table(found: Explanation) -> Table:
    from deepfake_lightning.evaluation.explanation.curves import KINDS
    from deepfake_lightning.evaluation.explanation.words import mean_area
    from deepfake_lightning.evaluation.words import number

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("verdict")
    films = any(item.found.media_type == "video" for item in found.items)
    for head in ["decided by"] if films else []:
        table.add_column(head, no_wrap=True)
    for kind in KINDS if any(item.randomised for item in found.items) else ():
        table.add_column(f"{kind} (random)", justify="right", no_wrap=True)
    for item in found.items:
        name = Text(printable(Path(item.found.name).name))
        if not item.faces:
            table.add_row(name, "", item.found.status.replace("_", " "))
            continue
        said = (item.found.verdict or "no verdict").replace("_", " ")
        areas = [f"{mean_area(item.checks(kind), 'map')} ({mean_area(item.checks(kind), 'random')})"
                 for kind in KINDS if item.randomised]  # fmt: skip
        table.add_row(name, number(item.found.score), said, *_span(item, films), *areas)
    return table


def _span(item: ExplainedItem, films: bool) -> list[str]:
    """Return from when to when the window lasted that decided, where there is such a column."""
    from deepfake_lightning.evaluation.explanation.words import when

    if not films:
        return []
    window = [item.found.faces[place] for place in item.tracks[0].window]
    first, last = (when(face).partition(",")[0] for face in (window[0], window[-1]))
    return [f"{first}-{last}" if item.found.media_type == "video" else ""]
