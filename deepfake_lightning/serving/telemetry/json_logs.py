"""The server's own log: a JSON object a line, in files of bounded size or on stderr.

Nothing of a request's body, query, headers or file names is logged; the exceptions of libraries
are, cut to a length, and tokens in them are struck out. All else than ASCII, and what ends a line,
is escaped, so no text makes a line of its own.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from deepfake_lightning.errors import StorageError
from deepfake_lightning.serving.access.tokens import PREFIX

MAX_FILE_BYTES = 20_000_000
FILES = 5  # kept beside the one being written, of each process
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)

_LONGEST = 8_000  # letters of a message or exception
_STRUCK_OUT = "[token]"
_TOKENS = rf"{PREFIX}[A-Za-z0-9_-]+|(?<=[Bb]earer )\S+"
_UVICORN = ("uvicorn", "uvicorn.error")
_UVICORNS_REQUESTS = "uvicorn.access"  # queries and addresses, which are not logged
_mine: list[logging.Handler] = []

requests = logging.getLogger("deepfake_lightning.serving.requests")


class JsonLines(JsonFormatter):
    """A record as a line of JSON: time, level, logger, message, and ``request_id`` where known.

    Of a record's further attributes only ``fields`` is written, which is this package's own.

    Args:
        secrets: texts to strike out, wherever they stand.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(json_ensure_ascii=True)
        # As they are and as Python shows them; longest first: one may be another's beginning.
        shown = {way for one in secrets if one for way in _ways(one)}
        patterns = [re.escape(one) for one in sorted(shown, key=len, reverse=True)]
        self._secrets = re.compile("|".join([*patterns, _TOKENS]))

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Fill in what the line says."""
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["message"] = self._shown(record.message)
        if (request_id := REQUEST_ID.get()) is not None:
            log_data["request_id"] = request_id
        log_data.update(getattr(record, "fields", {}))
        for kind in ("exc_info", "stack_info"):
            if kind in message_dict:
                log_data[kind] = self._shown(str(message_dict[kind]))

    def _shown(self, text: str) -> str:
        text = self._secrets.sub(_STRUCK_OUT, text)
        if len(text) <= _LONGEST:
            return text
        half = _LONGEST // 2  # the end of a traceback says what failed
        return f"{text[:half]} [... {len(text) - 2 * half} letters ...] {text[-half:]}"


def _ways(secret: str) -> tuple[str, ...]:
    """Return how a text is shown: as it is, as a text or bytes in Python, and in JSON."""
    return (secret, repr(secret)[1:-1], repr(secret.encode())[2:-1], json.dumps(secret)[1:-1])


def set_up_logs(place: str | Path, process: int, *, secrets: Iterable[str] = ()) -> None:
    """Send all that this process logs to one place; uvicorn's, too (give it ``log_config=None``).

    Args:
        place: ``-`` for stderr, or a folder, where ``server-<process>.jsonl`` and five older files
            of 20 MB are kept.
        process: number of this process; no other may write to the same folder under it.
        secrets: texts to strike out, such as the operator's token.

    Raises:
        StorageError: the file cannot be opened.
    """
    handler = logging.StreamHandler() if str(place) == "-" else _file(Path(place), process)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    while _mine:
        root.removeHandler(before := _mine.pop())
        before.close()
    root.addHandler(handler)
    _mine.append(handler)
    logging.getLogger("deepfake_lightning").setLevel(logging.INFO)
    for name in _UVICORN:
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True
        theirs.setLevel(logging.INFO)
    silent = logging.getLogger(_UVICORNS_REQUESTS)
    silent.handlers.clear()
    silent.propagate = False
    logging.captureWarnings(True)


class _File(RotatingFileHandler):
    """Formats each line once, and does not look whether its file is one: that is half its time."""

    def _open(self) -> TextIOWrapper:
        """Open the file; a new one is its owner's alone, as it says who asked for what."""
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(file, "a", encoding=self.encoding)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, to the next file where this one is full."""
        try:
            line = self.format(record) + self.terminator
            if self.stream is None:  # it could not be opened anew when the one before was full
                self.stream = self._open()
            if self.stream.tell() + len(line) >= self.maxBytes:  # lines are ASCII
                self.doRollover()
            self.stream.write(line)
            self.flush()
        except Exception:
            self.handleError(record)


def _file(folder: Path, process: int) -> logging.Handler:
    path = folder / f"server-{process}.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _File(path, maxBytes=MAX_FILE_BYTES, backupCount=FILES, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"the log {path} cannot be written: {error.strerror or error}",
            next_step="fix permissions there, or log to stderr",
        ) from error


def log_request(
    request_id: str,
    *,
    route: str,
    status: int,
    milliseconds: float,
    size: int,
    caller: str | None = None,
    version: str | None = None,
    verdict: str | None = None,
    error: str | None = None,
) -> None:
    """Log that a request was answered.

    Args:
        request_id: its id.
        route: path without what callers choose (:func:`door_of`).
        status: of HTTP; from 500 on the line is an error.
        milliseconds: from its head to its answer.
        size: bytes of its body.
        caller: name of who asked, None for strangers.
        version: of the detector that answered.
        verdict: that was given.
        error: code of the refusal.
    """
    fields = {
        "request_id": request_id, "route": route, "status": status, "ms": round(milliseconds, 3),
        "bytes": size, "caller": caller, "version": version, "verdict": verdict, "error": error,
    }  # fmt: skip
    level = logging.ERROR if status >= 500 else logging.INFO
    requests.log(level, "request", extra={"fields": fields})
