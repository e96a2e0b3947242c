"""Messages from the outbox to the channels, tried again until they arrive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.channels import Channel
from deepfake_lightning.monitoring.alerts.history import folder_of
from deepfake_lightning.monitoring.alerts.judging import KEPT_US
from deepfake_lightning.monitoring.alerts.policy import AlertPolicy
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent, alert_id
from deepfake_lightning.monitoring.alerts.sending import NotHereError, send
from deepfake_lightning.monitoring.alerts.situation import MINUTE_US
from deepfake_lightning.monitoring.alerts.state import Message
from deepfake_lightning.storage import Workspace

logger = logging.getLogger(__name__)

Send = Callable[[Channel, AlertEvent, Path], None]

TRIED_US = 24 * 60 * MINUTE_US
"""So long after it was made a message is given up."""

_LONGEST_PAUSE_US = 60 * MINUTE_US
_AT_ONCE = 50  # messages of a channel in a round


@dataclass(frozen=True)
class Tried:
    """What came of an attempt to deliver.

    Attributes:
        delivered: messages that were taken.
        left: messages that were not, as they are to be kept.
    """

    delivered: tuple[Message, ...]
    left: tuple[Message, ...]


def messages_of(events: Sequence[AlertEvent], policy: AlertPolicy) -> tuple[Message, ...]:
    """Return the messages that events make: one for each channel that the rule tells."""
    return tuple(
        Message(channel.name, event)
        for event in events
        if not event.silenced
        for channel in policy.told(event.alert.rule)
    )


def deliver(
    outbox: Sequence[Message],
    policy: AlertPolicy,
    folder: Path,
    *,
    now_us: int,
    send: Send = send,
) -> Tried:
    """Try to deliver what is due. A channel that fails keeps only its own messages waiting.

    The messages of a channel arrive in order: after one that fails, the others wait for it. A
    message is tried after 1, 2, 4 minutes and so on, at least each hour, and for a day. Where this
    process lacks a channel's secret or address, that is no try: another one may have it.

    Args:
        outbox: what is to be delivered, the oldest first.
        policy: has the channels.
        folder: in which files of a relative path lie.
        now_us: the time, microseconds since 1970, UTC.
        send: sends one message.
    """
    channels = {channel.name: channel for channel in policy.channels}
    delivered: list[Message] = []
    left: list[Message] = []
    blocked: set[str] = set()
    number: dict[str, int] = {}
    for message in outbox:
        if message.given_up_us is not None:
            left += [message] if now_us - message.given_up_us < KEPT_US else []
            continue
        name = message.channel
        number[name] = number.get(name, 0) + 1
        is_due = message.next_us <= now_us or message.next_us > now_us + _LONGEST_PAUSE_US
        if name in blocked or number[name] > _AT_ONCE or not is_due:
            blocked.add(name)
            left.append(message)
            continue
        tried = _try(message, channels.get(name), folder, now_us, send)
        if tried is None:
            delivered.append(message)
        else:
            left.append(tried)
            blocked |= {name} if tried.given_up_us is None else set()
    return Tried(tuple(delivered), tuple(left))


def send_test(
    policy: AlertPolicy, workspace: Workspace, *, now_us: int
) -> list[tuple[str, str, str | None]]:
    """Send a message to each channel; return their names, kinds, and what went wrong, if it did."""
    alert = Alert(
        alert_id("test", "", now_us), "test", "channels", "firing", "warning", now_us,
        says="this is a test: alerts of deepfake-lightning arrive here",
    )  # fmt: skip
    event = AlertEvent(f"{alert.id}-test", "test", now_us, alert)
    results: list[tuple[str, str, str | None]] = []
    for channel in policy.channels:
        fault = None
        try:
            send(channel, event, folder_of(workspace))
        except StorageError as error:
            fault = error.what
        results.append((channel.name, channel.kind, fault))
    return results


def _try(
    message: Message, channel: Channel | None, folder: Path, now_us: int, send: Send
) -> Message | None:
    """Return a message that was not taken as it is to be kept; None where it was."""
    if channel is None:
        return replace(message, fault="the channel is no longer in the policy", given_up_us=now_us)
    tries = message.tries + 1
    try:
        send(channel, message.event, folder)
    except NotHereError as error:
        # What those found that could try it says more.
        tries, fault = message.tries, message.fault if message.tries else error.what
    except StorageError as error:
        fault = error.what
    else:
        return None
    if fault != message.fault:
        logger.error("channel %s: a message could not be sent: %s", message.channel, fault)
    if now_us - message.event.at_us >= TRIED_US:
        logger.error("channel %s: message %s is given up after %d tries", message.channel,
                     message.event.id, tries)  # fmt: skip
        return replace(message, tries=tries, fault=fault, given_up_us=now_us)
    if tries == message.tries:
        return replace(message, fault=fault)
    pause = min(MINUTE_US << min(tries - 1, 20), _LONGEST_PAUSE_US)
    return replace(message, tries=tries, fault=fault, next_us=now_us + pause)
