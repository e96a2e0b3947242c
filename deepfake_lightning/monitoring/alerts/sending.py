"""One message through one channel: what it says, and how it gets there."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import DeepfakeLightningError, StorageError, UsageError
from deepfake_lightning.monitoring.alerts.channels import (
    Channel,
    EmailChannel,
    FileChannel,
    WebhookChannel,
)
from deepfake_lightning.monitoring.alerts.mail import send_mail
from deepfake_lightning.monitoring.alerts.records import AlertEvent, moment
from deepfake_lightning.monitoring.alerts.webhook import post
from deepfake_lightning.storage import end_line

LOGGER = "deepfake_lightning.alerts"
"""Name of the logger that the channel ``log`` writes to, and nothing else does."""

logger = logging.getLogger(LOGGER)


class NotHereError(StorageError):
    """A secret or address is not to be had in this process; another one may have it."""


def send(channel: Channel, event: AlertEvent, folder: Path) -> None:
    """Send a message.

    Args:
        channel: through which.
        event: that is told.
        folder: in which files of a relative path lie.

    Raises:
        NotHereError: this process has not what the channel takes.
        StorageError: it did not get there; what it says holds no secret.
    """
    try:
        if isinstance(channel, WebhookChannel):
            post(channel, event.id, payload(event))
        elif isinstance(channel, EmailChannel):
            send_mail(channel, event.id, event.alert.id, subject(event), text(event))
        elif isinstance(channel, FileChannel):
            _write(folder / channel.path, event)
        else:
            logger.log(_level(event), "%s", headline(event))
    except UsageError as error:
        raise NotHereError(error.what, next_step=error.next_step) from error
    except DeepfakeLightningError as error:
        raise StorageError(error.what, next_step=error.next_step) from error
    except OSError as error:
        # Nothing but the system's own words: other errors repeat addresses, which may be secret.
        raise StorageError(error.strerror or type(error).__name__) from None
    except Exception as error:
        raise StorageError(type(error).__name__) from None


def payload(event: AlertEvent) -> dict[str, Any]:
    """Return a message as machines read it; ``text`` is what chats show."""
    return {"schema": 1, "text": headline(event), **event.to_dict()}


def headline(event: AlertEvent) -> str:
    """Return a message in a line."""
    alert = event.alert
    about = f"{alert.rule} of {alert.subject} ({alert.id})"
    if event.kind == "test":
        return alert.says
    if event.kind == "resolved":
        return f"resolved: {about}: {alert.says}"
    head = f"{alert.severity}: {about}"
    if event.kind == "reminder":
        head = f"still {head}, since {moment(alert.fired_us or alert.since_us)}"
    return f"{head}: {alert.says}"


def subject(event: AlertEvent) -> str:
    """Return the subject of a mail: the same but for its state in all mails of an alert."""
    alert = event.alert
    if event.kind == "test":
        return "[test] alerts of deepfake-lightning"
    state = "resolved" if event.kind == "resolved" else alert.severity
    return f"[{state}] {alert.rule} of {alert.subject}"


def text(event: AlertEvent) -> str:
    """Return a message in a few lines."""
    alert = event.alert
    lines = [headline(event), "", f"time:   {moment(event.at_us)}"]
    if event.kind != "test":
        lines.append(f"since:  {moment(alert.since_us)}")
        lines += [f"value:  {alert.value:.4g}"] if alert.value is not None else []
        lines += [f"limit:  {alert.limit:g}"] if alert.limit is not None else []
        lines += [f"of:     {alert.n:,}"] if alert.n is not None else []
    if alert.next_step:
        lines += ["", f"next: {alert.next_step}"]
    if event.kind in ("firing", "reminder"):
        lines += ["", f"seen: deepfake-lightning alerts acknowledge {alert.id}"]
    return "\n".join(lines) + "\n"


def _level(event: AlertEvent) -> int:
    loud = event.alert.severity == "critical" and event.kind in ("firing", "reminder")
    return logging.ERROR if loud else logging.WARNING


def _write(path: Path, event: AlertEvent) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    end_line(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(payload(event), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
