"""The trainings of a workspace, by the names of their versions."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from deepfake_lightning.errors import CheckpointError, UsageError
from deepfake_lightning.storage import RUN_CONFIG, Workspace


def all_runs(workspace: Workspace) -> dict[str, Path]:
    """Return the folders of all trainings by their names, ``<experiment>/<version>``, sorted."""
    folders = sorted(path.parent for path in workspace.runs.glob(f"*/*/{RUN_CONFIG}"))
    return {f"{folder.parent.name}/{folder.name}": folder for folder in folders}


def run_named(name: str, runs: Mapping[str, Path]) -> Path | None:
    """Return the training that is called ``<experiment>/<version>``, or ``<version>`` alone.

    Raises:
        UsageError: several experiments have that version.
    """
    name = name.rstrip("/")
    if name in runs:
        return runs[name]
    found = [known for known in runs if known.partition("/")[2] == name]
    if len(found) > 1:
        raise UsageError(
            f"{name} is a version of several experiments: {', '.join(found)}",
            why="the scores of another detector would pass for those that are meant",
            next_step=f"name one of them, {found[0]}",
        )
    return runs[found[0]] if found else None


def near_names(name: str, runs: Mapping[str, Path], most: int = 3) -> list[str]:
    """Return the names of trainings that are spelt much like ``name``, the nearest first."""
    short = {known.partition("/")[2]: known for known in runs}
    near = get_close_matches(name, [*runs, *short], n=2 * most, cutoff=0.6)
    return list(dict.fromkeys(short.get(each, each) for each in near))[:most]


def best_checkpoint(run: Path) -> Path:
    """Return the checkpoint that the val split has chosen, the one that ``test`` is shown.

    Raises:
        CheckpointError: the training has not left any.
    """
    best = run / "checkpoints" / "best.ckpt"
    if best.is_file():
        return best
    others = sorted(path.name for path in best.parent.glob("*.ckpt"))
    raise CheckpointError(
        f"{run} has no checkpoints/best.ckpt",
        why=f"its checkpoints are {', '.join(others)}" if others else "it has no checkpoint at all",
        next_step=f"name one: {best.parent / others[0]}" if others else "train it to its end",
    )
