"""Media of drawn requests into the folder for reviewers, off the way of who answers requests."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log.prediction_log import PredictionLog
from deepfake_lightning.monitoring.review.media_files import (
    HEAD_BYTES,
    queued,
    remove_media,
    suffix_of,
)
from deepfake_lightning.monitoring.review.media_room import MediaRoom
from deepfake_lightning.monitoring.review.policy import ReviewPolicy
from deepfake_lightning.storage import atomic_write

logger = logging.getLogger(__name__)

_MOST, _MOST_BYTES = 256, 256 << 20  # that wait
_WAIT_SECONDS, _PAUSE_SECONDS, _SWEEP_SECONDS = 0.5, 5.0, 60.0
_LATE_SECONDS = 10.0  # for a request's row to come, after the log was first asked for it


@dataclass(slots=True)
class _Media:
    request_id: str
    content: bytes | Path
    size: int
    until: float | None = None

    def close(self) -> None:
        if isinstance(self.content, Path):
            self.content.unlink(missing_ok=True)


class MediaKeeper:
    """Writes media once their requests are in the review queue, in a thread of its own.

    It never waits for a disk where it is called. What cannot be kept (too much waits, the folder is
    full of what nobody has reviewed yet, the disk does not take it, the request is not logged) is
    counted, and said in the server's log. Once a minute it removes what is older than the policy
    keeps it and what belongs to no drawn request: others erase and prune, too.

    Args:
        log: the prediction log. It is not closed.
        folder: where media are kept; it is made, for this user alone.
        policy: how much, and for how long.
        written: waits until all requests are logged that were answered before.
        clock: the time in microseconds since 1970, UTC.
        on_lost: told how many could not be kept.
    """

    def __init__(
        self,
        log: PredictionLog,
        folder: Path,
        policy: ReviewPolicy,
        *,
        written: Callable[[], bool],
        clock: Callable[[], int],
        on_lost: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._log, self._folder, self._policy = log, folder, policy
        self._written, self._clock, self._on_lost = written, clock, on_lost
        self._room = MediaRoom(log, folder, policy)
        self._changed = threading.Condition()
        self._waiting: dict[str, _Media] = {}
        self._bytes = 0
        self._closing = False
        self._fault: str | None = None
        self._swept = 0.0
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="media-keeper", daemon=True)
        self._thread.start()

    def put(self, request_id: str, content: bytes | Path, size: int) -> bool:
        """Take media of a request that is drawn; return whether there was room.

        Args:
            request_id: of the request.
            content: what was sent, or a file of it that belongs to the keeper from now on.
            size: bytes.
        """
        media = _Media(request_id, content, size)
        with self._changed:
            full = len(self._waiting) >= _MOST or self._bytes + size > _MOST_BYTES
            if not (full or self._closing):
                self._waiting[request_id] = media
                self._bytes += size
                self._changed.notify_all()
                return True
        self._lose([media], "too many wait to be written")
        return False

    def erase(self, request_id: str) -> bool:
        """Remove what is kept of a request, after it was erased from the log.

        Returns:
            Whether there was anything.

        Raises:
            StorageError: it cannot be removed.
        """
        with self._changed:
            waited = self._let_go(request_id) is not None
        return remove_media(self._folder, [request_id]) > 0 or waited

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits, take no more, and end."""
        self._written()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, _SWEEP_SECONDS)
                pause = _PAUSE_SECONDS if self._fault else _WAIT_SECONDS
                self._changed.wait_for(lambda: self._closing, pause)
                closing = self._closing
            faults = [self._fault_of(self._sweep), self._fault_of(self._write)]
            self._say(next((one for one in faults if one), None))
            if closing:
                with self._changed:
                    left = [self._let_go(name) for name in list(self._waiting)]
                self._lose([one for one in left if one], "the server ends")
                return

    @staticmethod
    def _fault_of(action: Callable[[], None]) -> str | None:
        """Return what went wrong; on a full disk, what is too old has to go all the same."""
        try:
            action()
        except StorageError as error:
            return error.what
        except Exception as error:  # the thread must not end before its time
            return repr(error)
        return None

    def _sweep(self) -> None:
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._room.sweep(self._clock())

    def _is_due(self) -> bool:
        return self._closing or bool(self._waiting)

    def _write(self) -> None:
        with self._changed:
            waiting = list(self._waiting.values())
        if not waiting:
            return
        known = queued(self._log, {one.request_id for one in waiting})
        ready = [one for one in waiting if one.request_id in known]
        if ready:
            self._keep(ready)
        now = time.monotonic()
        late = []
        for one in waiting:
            if one.request_id not in known:
                one.until = one.until or now + _LATE_SECONDS
                if now > one.until:
                    late.append(one)
        self._finish(late)
        self._lose(late, "their requests are not in the log")

    def _keep(self, ready: list[_Media]) -> None:
        kept = []
        with self._room.held() as room:
            for one in ready:
                if not room.make(one.size):
                    self._finish([one])
                    self._lose([one], "the folder is full of what nobody has reviewed yet")
                    continue
                self._copy(one)
                room.took(one.size)
                kept.append(one)
                self._finish([one])
        # A request that was erased since its row was seen: who erased it found no file.
        names = {one.request_id for one in kept}
        remove_media(self._folder, names - queued(self._log, names))

    def _copy(self, media: _Media) -> None:
        content = media.content
        with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
            suffix = suffix_of(source.read(HEAD_BYTES))
            source.seek(0)
            path = self._folder / f"{media.request_id}.{suffix}"
            with atomic_write(path, rights=0o600) as file:
                shutil.copyfileobj(source, file, 1 << 20)

    def _finish(self, done: list[_Media]) -> None:
        with self._changed:
            for one in done:
                self._let_go(one.request_id)

    def _let_go(self, request_id: str) -> _Media | None:
        media = self._waiting.pop(request_id, None)
        if media is not None:
            self._bytes -= media.size
            media.close()
        return media

    def _lose(self, media: list[_Media], why: str) -> None:
        if not media:
            return
        for one in media:
            one.close()
        self.lost += len(media)
        self._on_lost(len(media))
        logger.warning("media of %d drawn requests are not kept for review: %s", len(media), why)

    def _say(self, fault: str | None) -> None:
        if fault != self._fault:
            if fault:
                logger.error("media are not kept for review for now: %s", fault)
            else:
                logger.warning("media are kept for review again")
        self._fault = fault
