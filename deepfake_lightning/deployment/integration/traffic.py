"""Clients that ask a server without a pause, and note each answer with the version that gave it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import httpx

PREDICT = "/v1/predict"
_AFTER_A_FAULT = 0.05  # seconds
_LOOK_EVERY = 0.1  # seconds


@dataclass(frozen=True)
class Picture:
    """A picture that is sent.

    Attributes:
        content: its bytes.
        already_cropped: whether it is sent as one face that was cut out.
    """

    content: bytes
    already_cropped: bool | None = None

    @property
    def query(self) -> dict[str, str]:
        """The parameters of its request."""
        return {} if self.already_cropped is None else {"already_cropped": "true"}


@dataclass(frozen=True)
class Answer:
    """What a client got.

    Attributes:
        sent, came: ``time.monotonic()``.
        status: of HTTP; 0 where there was no answer.
        version: that answered, None of none.
        fault: what was wrong, empty of a good answer.
    """

    sent: float
    came: float
    status: int
    version: str | None
    fault: str = ""


class Traffic:
    """Threads that each send one picture after the other.

    Args:
        client: makes who asks: one for each thread.
        pictures: that are sent in turn.
        threads: requests at a time.

    Attributes:
        answers: so far, in the order in which they came.
    """

    def __init__(
        self, client: Callable[[], httpx.Client], pictures: Sequence[Picture], threads: int
    ) -> None:
        self._client = client
        self._pictures = pictures
        self._end = threading.Event()
        self._changed = threading.Condition()
        self.answers: list[Answer] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        if failure[0] is None:  # else the server is about to be killed, which ends them
            for thread in self._threads:
                thread.join()

    def wait_until(self, check: Callable[[Sequence[Answer]], bool], seconds: float) -> bool:
        """Wait until what was answered so far is as expected; False where it is not in time."""
        end = time.monotonic() + seconds
        with self._changed:
            while not check(self.answers):
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, _LOOK_EVERY))
        return True

    def _ask(self, number: int) -> None:
        own = itertools.islice(itertools.cycle(self._pictures), number, None)
        with self._client() as client:
            for picture in own:
                if self._end.is_set():
                    return
                answer = _asked(client, picture)
                with self._changed:
                    self.answers.append(answer)
                    self._changed.notify_all()
                if answer.status == 0:
                    self._end.wait(_AFTER_A_FAULT)


def _asked(client: httpx.Client, picture: Picture) -> Answer:
    sent = time.monotonic()
    try:
        got = client.post(PREDICT, params=picture.query, content=picture.content)
        came, record = time.monotonic(), got.json()
        fault = "" if got.status_code == 200 else str(record["error"]["message"])
        return Answer(sent, came, got.status_code, record.get("version"), fault)
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        return Answer(sent, time.monotonic(), 0, None, f"{type(error).__name__}: {error}")
