"""``feedback review``: one drawn request after the other, looked at by a person."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from deepfake_lightning.cli.dispatch import INTERRUPTED
from deepfake_lightning.cli.feedback import counted, item_record, moment, now_us
from deepfake_lightning.cli.log import opened_log
from deepfake_lightning.cli.picture_preview import preview
from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.monitoring.log import PredictionLog
    from deepfake_lightning.monitoring.review import ReviewItem, ReviewPolicy
    from deepfake_lightning.monitoring.review.opinions import Opinion

_WORDS = {0: "real", 1: "fake", -1: "cannot tell"}
_ASK = "f fake, r real, u cannot tell, s skip, q quit; a note may follow (f lips too sharp)"
_WHY = {"second": "a second opinion is asked for",
        "disagreement": "two disagree: yours decides"}  # fmt: skip


def review(
    by: str | None = None,
    env: str | None = None,
    limit: int = 40,
    id: str | None = None,
    label: Literal["real", "fake", "cannot tell"] | None = None,
    note: str | None = None,
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Look at requests that were drawn for review, one after the other, and say what they are.

    Those that two reviewers disagree on come first. What the detector said is shown once you have
    answered. Interrupted, all that was said is kept. Scripts pass --id and --label.

    Args:
        by: your name (default: the user of this process); the same name counts once a request.
        env: only requests to this environment.
        limit: requests to look at.
        id: look at this request alone; said again, it replaces what you said.
        label: with --id: real, fake, or 'cannot tell'; nothing is asked then.
        note: with --label: how that is known.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: with --label: print the request as it stands then as JSON, and nothing else.
    """
    _check(id, label, note, limit, json)
    from deepfake_lightning.monitoring.review import media_folder, policy_of
    from deepfake_lightning.registry.registering import user

    place = Workspace.find(workspace)
    policy = policy_of(place)
    with opened_log(log, workspace) as opened:
        desk = _Desk(opened, policy, media_folder(place, opened), (by or user()).strip())
        if id is not None and label is not None:
            opinion: Opinion = {"real": 0, "fake": 1}.get(label, -1)  # type: ignore[assignment]
            item = desk.give(id, opinion, note)
            if json:
                sys.stdout.write(dumps(item_record(item)) + "\n")
            else:
                say(Console(), [f"{id}: {label}, says {desk.by}", *_afterwards(item, desk.by)])
            return 0
        return _session(Console(), desk, desk.item(id) if id else desk.waiting(env, limit), env)


@dataclass
class _Desk:
    """Where a reviewer sits."""

    log: PredictionLog
    policy: ReviewPolicy
    media: Path
    by: str
    judged: int = 0
    skipped: list[str] = field(default_factory=list)

    def waiting(self, env: str | None, limit: int) -> list[ReviewItem]:
        """Return what waits for this reviewer: what needs least until it is done comes first."""
        from deepfake_lightning.monitoring.review import review_queue

        found: list[ReviewItem] = []
        for state in ("disagreement", "second", "waiting"):
            if len(found) < limit:
                found += review_queue(
                    self.log, environment=env, state=state, limit=limit - len(found),
                    reviewer=self.by, policy=self.policy, media=self.media,
                )  # fmt: skip
        return found

    def item(self, request_id: str) -> list[ReviewItem]:
        from deepfake_lightning.monitoring.review import find_item
        from deepfake_lightning.monitoring.review.giving import not_drawn

        found = find_item(self.log, request_id, policy=self.policy, media=self.media)
        if found is None:
            raise not_drawn(self.log, request_id)
        return [found]

    def give(self, request_id: str, label: Opinion, note: str | None) -> ReviewItem:
        from deepfake_lightning.monitoring.review import give_opinion

        return give_opinion(
            self.log, request_id, label=label, by=self.by, note=note, now_us=now_us(),
            policy=self.policy, media=self.media,
        )  # fmt: skip


def _session(console: Console, desk: _Desk, items: Sequence[ReviewItem], env: str | None) -> int:
    interrupted = False
    try:
        for number, item in enumerate(items, 1):
            _show(console, item, f"{number} of {len(items)}")
            if not _ask(console, desk, item):
                break
    except KeyboardInterrupt:
        interrupted = True
        console.print()
    from deepfake_lightning.monitoring.review import queue_counts

    counts = queue_counts(desk.log, environment=env, policy=desk.policy)
    lines = [] if items else [f"nothing waits for {desk.by}"]
    if interrupted:
        lines.append("interrupted: all that was said is kept")
    lines.append(f"{desk.judged} judged by {desk.by}, {len(desk.skipped)} skipped")
    waits = sum(number for state, number in counts.items() if state != "done")
    after = "feedback review" if waits and items else "feedback list"
    only = f" --env {env}" if env else ""
    say(console, [*lines, counted(counts), f"next: deepfake-lightning {after}{only}"])
    return INTERRUPTED if interrupted else 0


def _show(console: Console, item: ReviewItem, place: str) -> None:
    came = moment(item.ts_us)[:19].replace("T", " ")
    where = f"{item.environment}, " if item.environment else ""
    lines = ["", f"{place}  {item.request_id}",
             f"{item.media_type or 'unknown'}, {came} UTC, {where}{item.version}"]  # fmt: skip
    if item.state in _WHY:
        lines.append(_WHY[item.state])
    if item.media is None:
        lines.append("what was sent is not kept (`serve --keep_media review` keeps it)")
    else:
        lines.append(str(item.media))
    say(console, lines)
    picture = preview(item.media, console) if item.media else None
    if picture is not None:
        console.print(picture, end="")


def _ask(console: Console, desk: _Desk, item: ReviewItem) -> bool:
    """Ask until there is an answer; return whether to go on."""
    labels: dict[str, Opinion] = {"f": 1, "fake": 1, "r": 0, "real": 0, "u": -1}
    while True:
        try:
            answer = console.input(f"{_ASK}\n> ", markup=False).strip()
        except EOFError:
            return False
        word, _, note = answer.partition(" ")
        if word in ("q", "quit"):
            return False
        if word in ("s", "skip"):
            desk.skipped.append(item.request_id)
            return True
        if word in labels:
            try:
                after = desk.give(item.request_id, labels[word], note)
            except UsageError as error:  # erased meanwhile, or a note that is too long
                say(console, [error.what])
                if "note" in error.what:
                    continue
                return True
            desk.judged += 1
            say(console, [f"you: {_WORDS[labels[word]]}", *_afterwards(after, desk.by)])
            return True
        say(console, [f"{word[:20]!r} is none of these" if word else "an answer is wanted"])


def _afterwards(item: ReviewItem, by: str) -> list[str]:
    """Say what the detector and others said, now that it cannot sway anybody."""
    from deepfake_lightning.monitoring.review.opinions import reviewer_of

    verdict = (item.verdict or "no verdict").replace("_", " ")
    score = "" if item.score is None else f", score {item.score:.3f}"
    lines = [f"the detector ({item.version}): {verdict}{score}"]
    others = [f"{one.by}: {_WORDS[one.label]}" for one in item.opinions
              if reviewer_of(one.by) != reviewer_of(by)]  # fmt: skip
    if others:
        lines.append(f"others: {', '.join(others)}")
    if item.state == "disagreement":
        lines.append("you disagree: somebody else is asked")
    elif item.state == "second":
        lines.append("somebody else is asked, too: this is one of those that two look at")
    return lines


def _check(
    request_id: str | None, label: str | None, note: str | None, limit: int, json: bool
) -> None:
    if limit < 1:
        raise UsageError(f"--limit {limit} shows nothing", next_step="pass 1 or more")
    if label is not None and request_id is None:
        raise UsageError("--label needs the request that it is of", next_step="pass --id")
    if (note is not None or json) and label is None:
        flag = "--json" if json else "--note"
        raise UsageError(
            f"{flag} goes with --label", why="without it you are asked, one after the other",
            next_step="pass --id and --label; `deepfake-lightning feedback list --json true` shows"
            " what waits",
        )  # fmt: skip
