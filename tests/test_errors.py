"""What a user reads, and what programs catch."""

from __future__ import annotations

import pickle

import pytest

from deepfake_lightning import errors

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.DeepfakeLightningError)
]


def test_the_message_says_what_why_and_what_next() -> None:
    error = errors.DataError("x.csv is empty", why="nothing to learn", next_step="add rows")
    assert str(error) == "x.csv is empty\nWhy: nothing to learn\nNext: add rows"


def test_parts_that_are_not_given_leave_no_trace() -> None:
    assert str(errors.DataError("x.csv is empty")) == "x.csv is empty"
    assert str(errors.DataError("x", next_step="y")) == "x\nNext: y"


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_the_border_between_processes(
    kind: type[errors.DeepfakeLightningError],
) -> None:
    error = pickle.loads(pickle.dumps(kind("what", why="why", next_step="next")))
    assert type(error) is kind
    assert (error.what, error.why, error.next_step) == ("what", "why", "next")


def test_exit_codes_tell_the_users_faults_from_the_machines() -> None:
    codes = {kind.__name__: kind.exit_code for kind in KINDS}
    assert [codes.pop(name) for name in ("StorageError", "ProcessLostError")] == [1, 1]
    assert codes.pop("BusyError") == 75  # a scheduler tries again
    assert set(codes.values()) == {2}


def test_one_class_catches_all_that_is_wrong_with_data() -> None:
    for kind in (errors.TableError, errors.LayoutError, errors.SplitError, errors.MediaError):
        assert issubclass(kind, errors.DataError)
