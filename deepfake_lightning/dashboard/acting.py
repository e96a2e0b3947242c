"""What somebody does on a page: acknowledge, silence, say what a request really was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.words import VERDICTS, clock, number
from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring import alerts, review
from deepfake_lightning.monitoring.review.opinions import Opinion

_HOUR_US = 3_600_000_000
SAID = {"fake": 1, "real": 0, "cannot tell": -1}
_MOST_NOTE = 500


@dataclass(frozen=True)
class Deed:
    """What was asked for.

    Attributes:
        act: ``acknowledge``, ``silence`` or ``opinion``.
        of: an alert, a rule or subject, or a request.
        value: hours, or one of ``SAID``.
        by: who.
        note: free text.
    """

    act: str
    of: str
    value: str
    by: str
    note: str | None


def deed_of(sent: Mapping[str, Any] | None, by: str | None) -> Deed:
    """Return what a browser sent, read with care.

    Raises:
        UsageError: it says nothing that can be done, or not who does it.
    """
    sent = sent if isinstance(sent, dict) else {}
    act, of, value, note = (str(sent.get(name) or "") for name in ("act", "of", "value", "note"))
    who = (by or "").strip()
    if act not in ("acknowledge", "silence", "opinion") or not 0 < len(of) <= 200:
        raise UsageError("the page sent something that cannot be done", next_step="load it anew")
    if not who:
        raise UsageError("say who you are first", next_step="write your name at the top right")
    return Deed(act, of, value, who[:100], note.strip()[:_MOST_NOTE] or None)


def do(source: Source, deed: Deed) -> str:
    """Do it; return what was done, in a sentence.

    Raises:
        DeepfakeLightningError: it cannot be done.
    """
    act = {"acknowledge": _acknowledge, "silence": _silence, "opinion": _opinion}[deed.act]
    try:
        return act(source, deed)
    finally:
        source.changed()


def _acknowledge(source: Source, deed: Deed) -> str:
    alerts.acknowledge(source.workspace, deed.of, by=deed.by, note=deed.note, now_us=source.clock())
    return f"Acknowledged by {deed.by}: no reminders of it are sent."


def _silence(source: Source, deed: Deed) -> str:
    if deed.value not in ("1", "8", "24"):
        raise UsageError("alerts are silenced for 1, 8 or 24 hours here")
    until_us = source.clock() + int(deed.value) * _HOUR_US
    reason = deed.note or "silenced on the dashboard"
    alerts.silence(source.workspace, deed.of, until_us=until_us, by=deed.by, reason=reason,
                   now_us=source.clock())  # fmt: skip
    return f"No messages about {deed.of} until {clock(until_us)} UTC."


def _opinion(source: Source, deed: Deed) -> str:
    log = source.log()
    if deed.value not in SAID or log is None:
        raise UsageError("an opinion is real, fake or cannot tell, on a request of the queue")
    item = review.give_opinion(
        log, deed.of, label=cast(Opinion, SAID[deed.value]), by=deed.by, note=deed.note,
        now_us=source.clock(), policy=source.review_policy(),
    )  # fmt: skip
    verdict = VERDICTS.get(item.verdict or "", "no verdict")
    score = "" if item.score is None else f", score {number(item.score)}"
    state = {"second": " It waits for a second opinion.",
             "disagreement": " Reviewers disagree: it waits for another one."}  # fmt: skip
    return (f"You said {deed.value}; {item.version or 'no version'} said {verdict}{score}."
            f"{state.get(item.state, '')}")  # fmt: skip
