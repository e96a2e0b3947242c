from __future__ import annotations

from contextlib import ExitStack

import pytest

from deepfake_lightning.serving.access.admission import Admission
from deepfake_lightning.serving.access.callers import LOCAL, Caller
from deepfake_lightning.serving.access.fairness import leaves_room
from deepfake_lightning.serving.answers import Refusal

NEWS, DESK, LATE = (Caller(name, frozenset({"predict"})) for name in ("news", "desk", "late"))


def fill(admission, stack, caller):
    """Take places for a caller until one is refused; return how many were had, and the refusal."""
    taken = 0
    while True:
        try:
            stack.enter_context(admission.place(caller))
        except Refusal as refusal:
            return taken, refusal
        taken += 1


def test_one_caller_leaves_a_quarter_of_the_places_to_others():
    admission = Admission(32, 2)
    with ExitStack() as stack:
        taken, refusal = fill(admission, stack, NEWS)
        assert taken == 24
        assert (refusal.status, refusal.code) == (503, "busy")
        assert int(refusal.headers["Retry-After"]) > 0
        assert refusal.message == "24 requests of news are being worked on; others need room"
        stack.enter_context(admission.place(DESK))  # is let in all the same
    assert admission.taken == 0


def test_two_greedy_callers_leave_room_for_a_third():
    admission = Admission(28, 2)
    with ExitStack() as stack:
        fill(admission, stack, NEWS)
        fill(admission, stack, DESK)
        assert fill(admission, stack, LATE)[0] >= 1


def test_a_caller_that_is_done_is_let_in_again():
    admission = Admission(8, 2)
    with ExitStack() as stack:
        assert fill(admission, stack, NEWS)[0] == 6
    with ExitStack() as stack:
        assert fill(admission, stack, NEWS)[0] == 6


@pytest.mark.parametrize("caller", [LOCAL, None])
def test_who_has_no_neighbours_may_have_all(caller):
    admission = Admission(8, 2)
    with ExitStack() as stack:
        taken, refusal = fill(admission, stack, caller)
    assert taken == 8
    assert refusal.message == "8 requests are being worked on, which is the limit"


@pytest.mark.parametrize("places", [1, 2, 3])
def test_where_there_are_few_places_one_may_have_them(places):
    assert all(leaves_room(held, places - held) for held in range(places))
    assert not leaves_room(0, 0)
