"""Clients of a server that note each answer, with the version that gave it."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Self

import httpx


@dataclass(frozen=True)
class Answer:
    """What a client got.

    Attributes:
        sent, came: ``time.monotonic``.
        key: of the client.
        status: of HTTP; 0 where there was no answer.
        version: that answered, None of none.
    """

    sent: float
    came: float
    key: str
    status: int
    version: str | None


class Clients:
    """Threads that each ask one thing after the other, under several clients' keys.

    Args:
        url: of the server.
        body: what is sent.
        threads: how many.
        keys: of each.
    """

    def __init__(self, url: str, body: bytes, threads: int, keys: int) -> None:
        self._url = url
        self._body = body
        self._end = threading.Event()
        self._changed = threading.Condition()
        self.answers: list[Answer] = []
        names = [[f"client {thread}-{key}" for key in range(keys)] for thread in range(threads)]
        self._threads = [threading.Thread(target=self._ask, args=(own,)) for own in names]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, version: str, since: float, seconds: float = 60.0) -> Answer:
        """Return the first answer of a version since a time.

        Raises:
            SystemExit: none comes.
        """
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                for answer in reversed(self.answers):
                    if answer.came < since:
                        break
                    if answer.version == version:
                        return min(self._of(version, since), key=lambda one: one.came)
                if not self._changed.wait(end - time.monotonic()):
                    raise SystemExit(f"{version} does not answer within {seconds:g} s")

    def between(self, begin: float, end: float) -> list[Answer]:
        """Return the answers to what was sent in a time."""
        return [one for one in self.answers if begin <= one.sent < end]

    def _of(self, version: str, since: float) -> list[Answer]:
        return [one for one in self.answers if one.came >= since and one.version == version]

    def _ask(self, keys: list[str]) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            for key in itertools.cycle(keys):
                if self._end.is_set():
                    return
                sent = time.monotonic()
                try:
                    answer = client.post(
                        "/v1/predict", content=self._body, headers={"X-Client-Key": key}
                    )
                    status, version = answer.status_code, answer.json().get("version")
                except (httpx.TransportError, ValueError):
                    status, version = 0, None
                with self._changed:
                    now = time.monotonic()
                    self.answers.append(Answer(sent, now, key, status, version))
                    self._changed.notify_all()
