"""Callers, and how often they may ask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.errors import UsageError
from deepfake_lightning.serving.access.callers import Caller, Rate, parse_rate

units = st.sampled_from(["second", "minute", "hour", "day"])


@given(st.integers(1, 999_999), units)
def test_a_rate_is_read_as_it_is_written(amount, unit):
    rate = parse_rate(f"{amount}/{unit}")
    assert (rate.amount, rate.unit) == (amount, unit)
    assert parse_rate(str(rate)) == rate


@given(st.text(max_size=30))
def test_any_text_is_a_rate_or_an_error_that_teaches(text):
    try:
        assert str(parse_rate(text)) == text
    except UsageError as error:
        assert "600/minute" in error.next_step


@pytest.mark.parametrize(
    "text",
    ["", "600", "0/minute", "-1/minute", "1.5/minute", "600/min", "600/minute\n", " 6/minute",
     "6/minute;1/second", "1000000/day", "\u0661/minute", "600 per minute"],
)  # fmt: skip
def test_what_is_no_rate(text):
    with pytest.raises(UsageError):
        parse_rate(text)


@given(st.integers(1, 10_000), st.integers(1, 64), units)
def test_shares_never_add_up_to_more_unless_there_are_more_processes(amount, processes, unit):
    share = Rate(amount, unit).share(processes)
    assert share.amount >= 1
    assert share.amount * processes <= max(amount, processes)
    assert (share.amount + 1) * processes > amount


def test_admin_may_do_all():
    assert Caller("a", frozenset({"admin"})).may("feedback")
    assert not Caller("a", frozenset({"predict"})).may("feedback")
