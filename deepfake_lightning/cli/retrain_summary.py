"""What ``retrain`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable, say

if TYPE_CHECKING:
    from deepfake_lightning.retraining.looking import Look, Setting
    from deepfake_lightning.retraining.loop import Ended
    from deepfake_lightning.retraining.record import LoopRecord

_CAUSES = {"by_hand": "by hand", "performance": "performance", "drift": "drift",
           "labels": "new labels", "files": "new files", "schedule": "schedule"}  # fmt: skip
_DOES = {
    "collect": "take new labelled media", "merge": "cut faces out, leave out copies, add them",
    "train": "in a process of its own",
    "register": "calibrate, measure and register the next version",
    "evaluate": "hold it against the version that serves",
    "stage": "gate, tests of a real server, staging", "goal": "let it serve",
}  # fmt: skip


def look_record(found: Look) -> dict[str, Any]:
    """Return what was found as plain JSON types; no item's media or people."""
    going, at_work = found.unfinished, found.at_work
    return {
        "schema": 1,
        "trigger": found.trigger.to_dict(),
        "base": found.base.version,
        "items": len(found.new.items),
        "counts": found.new.counts(),
        "left_out": dict(found.new.left_out),
        "held": [one.client for one in _held(found)],
        "goes_on_with": None if going is None or going == at_work else going.number,
        "busy": found.busy,
        "at_work": None if at_work is None else {"loop": at_work.number, "step": at_work.at_step},
    }


def ended_record(found: Ended) -> dict[str, Any]:
    """Return what a call came to as plain JSON types."""
    return {
        "schema": 1,
        "look": None if found.look is None else look_record(found.look),
        "loop": None if found.loop is None else found.loop.to_dict(),
    }


def print_look(console: Console, found: Look, setting: Setting) -> None:
    """Print whether it would train, each cause, the data there are, and what each step would do."""
    say(console, [_headline(found, setting)])
    console.print(_causes(found))
    say(console, list(_data(found)))
    say(console, ["the steps would be:", *_planned(found, setting)])
    if found.busy:
        say(console, ["next: wait for it to end; one retraining at a time works in a workspace"])
    elif found.trigger.fires or found.unfinished:
        say(console, [f"next: deepfake-lightning retrain --env {setting.environment}"])
    else:
        say(console, [f"in any case: deepfake-lightning retrain --env {setting.environment} "
                      '--reason "why"'])  # fmt: skip


def in_words(found: Ended, setting: Setting) -> str:
    """Return in a line what a call came to; the same where nothing has changed.

    Times are left out: how long is to be waited, and when the schedule is due.
    """
    if found.loop is not None:
        return f"loop {found.loop.number}: {found.loop.outcome}"
    if found.look is None:
        return ""
    trigger = found.look.trigger
    causes = ", ".join(one.kind for one in trigger.causes if one.holds)
    waits = "waits" if trigger.waits is not None else ""
    return f"{trigger.observed.version} {causes} {waits} {len(found.look.new.items)}"


def print_ended(console: Console, found: Ended, setting: Setting) -> None:
    """Print what a call came to, and what to do next."""
    if found.loop is not None:
        print_loop(console, found.loop, setting)
    elif found.look is not None:
        say(console, [_headline(found.look, setting)])
        console.print(_causes(found.look))
        say(console, list(_data(found.look)))


def print_loop(console: Console, loop: LoopRecord, setting: Setting) -> None:
    """Print how a loop ended, its steps with their times, and what to do next."""
    ends = {"done": f"{loop.version} is ready", "refused": "refused", "failed": "failed",
            None: "interrupted"}  # fmt: skip
    head = f"loop {loop.number}: {loop.base} trained again: {ends[loop.outcome]}"
    say(console, [head, f"because {loop.trigger['reason']}"])
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for name, step in loop.steps.items():
        cells = (name, _time(step.seconds), "; ".join(_results(name, step.result)))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table)
    from deepfake_lightning.retraining.record import Loops

    record = near(Loops(setting.workspace).folder(loop.number) / "loop.json")
    note = [f"{loop.step}: {loop.note}"] if loop.note else []
    say(console, [*note, f"record: {record}", *next_lines(loop)])


def _headline(found: Look, setting: Setting) -> str:
    trigger, going = found.trigger, found.unfinished
    what = f"{setting.environment} serves {found.base.version}"
    if found.busy:
        return f"{what}; {_at_work(found.at_work, setting)}"
    if going is not None and going.outcome is None:
        return f"{what}; loop {going.number} was interrupted, and is gone on with"
    if trigger.waits is not None:
        return f"{what}; nothing is trained: {trigger.waits}"
    if not trigger.fires:
        when = (
            "" if trigger.next_us is None else f"; the schedule is due on {_day(trigger.next_us)}"
        )
        return f"{what}; there is no cause to train it again{when}"
    if going is not None:
        return f"{what}; loop {going.number} failed, and is gone on with"
    if not found.new.items:
        return f"{what}; there is a cause to train it again, and nothing new to learn from"
    return f"{what}; it is to be trained again"


def _at_work(loop: LoopRecord | None, setting: Setting) -> str:
    if loop is None:
        return "another retraining is at work in this workspace"
    of = "" if loop.environment == setting.environment else f" of {loop.environment}"
    at = "" if loop.at_step is None else f", at the step {loop.at_step}"
    return f"loop {loop.number}{of} is at work{at}"


def _causes(found: Look) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found.trigger.causes:
        cells = ("yes" if one.holds else "-", _CAUSES[one.kind], one.says)
        style = "bold" if one.holds else ""
        table.add_row(*(Text(printable(cell), style=style) for cell in cells))
    return table


def _data(found: Look) -> Iterator[str]:
    counts = found.new.counts()
    of = (f"{kind} {of['real']:,} real, {of['fake']:,} fake" for kind, of in counts.items())
    yield f"new media to learn from: {len(found.new.items):,}" + (
        f" ({'; '.join(of)})" if counts else ""
    )
    for reason, number in sorted(found.new.left_out.items()):
        yield f"  left out, {number:,}: {reason}"
    for one in _held(found):
        against = f"{one.contradicted:,} of {one.clear:,} contradict clear predictions"
        yield f"  held until reviewed: the labels of {one.client}, {against} ({one.pattern})"
    if not found.has_log:
        yield "  there is no prediction log yet: `deepfake-lightning serve` writes one"
    elif "labelled, and their media are not kept" in found.new.left_out:
        yield "  `serve --keep_media review` keeps media of what is drawn for review"


def _held(found: Look) -> tuple[Any, ...]:
    return () if found.new.labelled is None else found.new.labelled.held


def _planned(found: Look, setting: Setting) -> Iterator[str]:
    policy, base = setting.policy, found.base
    number = min(len(found.new.items), policy.most)
    more = {
        "collect": f"{number:,} items",
        "merge": f"to the {len(base.manifest):,} rows of {base.version}; a share of "
        f"{policy.new_slice:g} is never trained on",
        "train": f"as {base.run.name} was, "
        + ("from its weights" if policy.train.warm_start else "from the beginning")
        + "".join(f", {flag}={value}" for flag, value in policy.train.flags.items()),
        "evaluate": f"it may lose {policy.margin:g} of AUROC on the test split",
        "goal": f"{policy.goal} in {setting.environment}",
    }
    done = () if found.unfinished is None else found.unfinished.steps
    for step, does in _DOES.items():
        if step == "goal" and policy.goal == "staging":
            continue
        detail = f": {more[step]}" if step in more else ""
        yield f"  {step:<9}{does}{detail}" + (" (done)" if step in done else "")


def _results(step: str, result: Mapping[str, Any]) -> Iterator[str]:
    if step == "collect":
        yield f"{result['items']:,} items"
        yield from (f"held: {one}" for one in result["held"])
        yield from (f"left out, {number:,}: {why}" for why, number in result["left_out"].items())
    elif step == "merge":
        for what, name in (("train", "to train on"), ("slice", "in the new slice")):
            yield f"{sum(result[what].values()):,} {name}"
        for what, name in (
            ("relabelled", "known ones got another label"),
            ("withdrawn", "known ones whose labels are not believed any more went"),
        ):
            if result.get(what):
                yield f"{result[what]:,} {name}"
        yield from (f"{number:,} {reason}" for reason, number in result["left_out"].items())
    elif step == "train":
        score = result["best_score"]
        yield result["stop_reason"] + (
            "" if score is None else f", {result['monitor']} {score:.4f}"
        )
    elif step == "register":
        measured = result["auroc"]
        yield result["version"] + ("" if measured is None else f", AUROC {measured:.3f} on test")
        yield from result["notes"]
    elif step == "evaluate":
        yield from result["says"]
    else:
        yield result.get("goal", "deployed")


def next_lines(loop: LoopRecord) -> list[str]:
    """Return what to do after a loop, as commands."""
    goal = loop.trigger["policy"]["goal"]
    if loop.outcome == "done" and goal == "canary":
        return [f"next: deepfake-lightning canary watch --env {loop.environment}"]
    if loop.outcome == "done" and goal == "abtest":
        return [f"next: deepfake-lightning abtest status --env {loop.environment}"]
    if loop.outcome == "done" and goal == "staging":
        return [f"next: deepfake-lightning deploy {loop.version} --env {loop.environment}"]
    if loop.outcome == "done":
        return [f"if it turns out bad: deepfake-lightning rollback --env {loop.environment} "
                "--reason ..."]  # fmt: skip
    if loop.version is not None:
        return [f"look at it: deepfake-lightning compare {loop.base} {loop.version}"]
    return []


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
