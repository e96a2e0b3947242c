import threading
import time

import pytest

from deepfake_lightning.dashboard.cached import Cached
from deepfake_lightning.errors import StorageError


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_ten_who_ask_at_once_cost_as_one():
    cached, made = Cached(), []

    def make():
        made.append(1)
        time.sleep(0.05)
        return len(made)

    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(cached.get("a", 60, make)))
        for _ in range(10)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [1] * 10


def test_an_answer_is_kept_for_its_time_and_then_made_anew():
    clock = Clock()
    cached, answers = Cached(clock), iter("ab")
    assert cached.get("key", 2.0, lambda: next(answers)) == "a"
    clock.now = 1.9
    assert cached.get("key", 2.0, lambda: next(answers)) == "a"
    clock.now = 2.0
    assert cached.get("key", 2.0, lambda: next(answers)) == "b"


def test_a_failure_is_told_to_all_and_tried_again_later():
    clock, tries = Clock(), []
    cached = Cached(clock)

    def fail():
        tries.append(1)
        raise StorageError("the log is away")

    for _ in range(3):
        with pytest.raises(StorageError, match="the log is away"):
            cached.get("key", 2.0, fail)
    assert len(tries) == 1
    clock.now = 2.0
    assert cached.get("key", 2.0, lambda: "back") == "back"


def test_what_was_changed_is_seen_at_once():
    cached, answers = Cached(), iter("ab")
    assert cached.get("key", 60, lambda: next(answers)) == "a"
    cached.clear()
    assert cached.get("key", 60, lambda: next(answers)) == "b"
