"""What a call of ``retrain`` came to: an exit code, and a document for whoever started it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from deepfake_lightning.cli.dispatch import INTERRUPTED
from deepfake_lightning.cli.retrain_summary import ended_record, next_lines
from deepfake_lightning.errors import BusyError, DeepfakeLightningError
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.retraining.loop import Ended
    from deepfake_lightning.retraining.record import LoopRecord

Outcome = Literal["done", "failed", "wrong_use", "nothing_to_do", "refused", "busy", "interrupted"]
EXIT_CODES: dict[Outcome, int] = {
    "done": 0, "failed": 1, "wrong_use": 2, "nothing_to_do": 3, "refused": 4,
    "busy": BusyError.exit_code, "interrupted": INTERRUPTED,
}  # fmt: skip


def latest(place: Workspace, environment: str) -> LoopRecord | None:
    """Return the latest loop; None where there is none, or where its record cannot be read."""
    from deepfake_lightning.retraining.record import Loops

    with suppress(DeepfakeLightningError):
        return Loops(place).latest(environment)
    return None


def outcome_of(found: Ended) -> Outcome:
    """Return what a call came to that ended by itself.

    A loop that found nothing new to learn from had nothing to do; what has no version is no
    version that is not good enough.
    """
    if found.loop is None or (found.loop.outcome == "refused" and found.loop.version is None):
        return "nothing_to_do"
    return "refused" if found.loop.outcome == "refused" else "done"


def outcome_of_error(
    error: BaseException, before: LoopRecord | None, after: LoopRecord | None
) -> Outcome:
    """Return what a call came to that an error ended.

    Args:
        error: which.
        before: the latest loop when the call began.
        after: the latest loop when it ended.
    """
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, BusyError):
        return "busy"
    in_loop = after is not None and after != before
    wrong_use = isinstance(error, DeepfakeLightningError) and error.exit_code == 2
    return "wrong_use" if wrong_use and not in_loop else "failed"


def document(
    place: Workspace,
    environment: str,
    outcome: Outcome,
    *,
    found: Ended | None = None,
    loop: LoopRecord | None = None,
    error: BaseException | None = None,
) -> dict[str, Any]:
    """Return all that a call came to as plain JSON types.

    Args:
        place: the workspace.
        environment: whose version was to be trained again.
        outcome: what it came to.
        found: what the loop returned; None where an error ended it.
        loop: the one that an error ended; None where there was none.
        error: which.
    """
    nothing: dict[str, Any] = {"schema": 1, "look": None, "loop": None}
    record = nothing if found is None else ended_record(found)
    loop = loop if found is None else found.loop
    if loop is not None:
        record["loop"] = loop.to_dict()
    base = loop.base if loop else (record["look"] or {}).get("base")
    return {
        **record,
        "outcome": outcome,
        "exit_code": EXIT_CODES[outcome],
        "environment": environment,
        "reasons": _reasons(outcome, found, loop, error),
        "loop_id": None if loop is None else loop.name,
        "versions": {"base": base, "made": None if loop is None else loop.version},
        "steps": {} if loop is None else {name: one.seconds for name, one in loop.steps.items()},
        "paths": _paths(place, loop),
        "error": None if error is None else _plain(error),
        "next": [] if loop is None or loop.outcome is None else next_lines(loop),
    }


def _reasons(
    outcome: Outcome, found: Ended | None, loop: LoopRecord | None, error: BaseException | None
) -> list[str]:
    if error is not None:
        return [_plain(error)["what"]]
    if loop is not None:
        return [loop.trigger["reason"] if outcome == "done" else loop.note]
    assert found is not None and found.look is not None  # nothing was to be done
    trigger = found.look.trigger
    if trigger.waits is not None:
        return [trigger.waits]
    if trigger.fires:
        return [trigger.reason, "there is nothing new to learn from"]
    return [one.says for one in trigger.causes]


def _paths(place: Workspace, loop: LoopRecord | None) -> dict[str, str]:
    """Return the files and folders of a loop that are there."""
    paths = {"workspace": place.root}
    if loop is not None:
        from deepfake_lightning.retraining.record import FILE, Loops
        from deepfake_lightning.retraining.trainer_job import LOG

        folder = Loops(place).folder(loop.number)
        paths |= {"loop": folder / FILE, "training_log": folder / LOG}
        if (made := loop.steps.get("train")) is not None:
            paths["run"] = place.runs / made.result["experiment"] / made.result["run"]
        if loop.version is not None:
            paths["version"] = place.registry / "models" / loop.version
        for step in ("stage", "goal"):
            if step in loop.steps and "decision" in loop.steps[step].result:
                paths[f"{step}_decision"] = place.deployment / loop.steps[step].result["decision"]
    return {name: str(path.resolve()) for name, path in paths.items() if path.exists()}


def _plain(error: BaseException) -> dict[str, str]:
    kind = type(error).__name__
    if isinstance(error, DeepfakeLightningError):
        return {"kind": kind, "what": error.what, "why": error.why, "next_step": error.next_step}
    return {"kind": kind, "what": repr(error), "why": "", "next_step": ""}
