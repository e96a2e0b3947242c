"""Which frames of a clip are looked at, as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas import Preprocess, Sampling
from deepfake_lightning.schemas.settings import from_settings

SAMPLINGS = st.one_of(
    st.integers(1, 10**6).map(lambda n: Sampling("even", n)),
    st.floats(1e-3, 1e5).map(lambda s: Sampling("every", float(f"{s:.15g}"))),
    st.sampled_from([Sampling("keyframes"), Sampling("all")]),
)


@given(SAMPLINGS)
def test_what_is_written_is_read(sampling: Sampling) -> None:
    assert Sampling.parse(str(sampling)) == sampling


def test_a_unit_may_be_written() -> None:
    assert Sampling.parse("every:0.5s") == Sampling("every", 0.5)


@pytest.mark.parametrize(
    "text",
    ["", "even", "even:0", "even:-1", "even:1.5", "every:0", "every:inf", "every:nan",
     "every:x", "key", "all:3", "keyframes:2", "EVEN:3"],
)  # fmt: skip
def test_what_is_not_known_names_what_is(text: str) -> None:
    with pytest.raises(UsageError, match="sampling") as caught:
        Sampling.parse(text)
    assert "even:16" in caught.value.next_step


def test_a_record_with_another_one_is_refused_under_its_flag() -> None:
    with pytest.raises(UsageError, match=r"data\.sampling is 'odd:3': sampling 'odd:3' is not"):
        from_settings(Preprocess, {"sampling": "data.sampling"}, sampling="odd:3")
