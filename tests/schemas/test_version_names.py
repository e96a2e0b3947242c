"""Names of versions in SemVer's order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas.version_names import (
    canonical,
    in_order,
    is_version,
    next_version,
    parse_version,
)

# semver.org, section 11, and the numbers that sort wrongly as text
IN_ORDER = [
    "v0.9.0", "v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta",
    "v1.0.0-beta.2", "v1.0.0-beta.11", "v1.0.0-rc.1", "v1.0.0", "v1.2.0", "v1.10.0", "v2.0.0",
]  # fmt: skip

number = st.integers(0, 10**6).map(str)
word = st.one_of(number, st.from_regex(r"[a-z][0-9a-z-]{0,5}", fullmatch=True))
names = st.builds(
    lambda numbers, pre: f"v{'.'.join(numbers)}" + (f"-{'.'.join(pre)}" if pre else ""),
    st.tuples(number, number, number),
    st.lists(word, max_size=3),
)


def test_pre_releases_come_before_their_release_and_numbers_are_numbers() -> None:
    shuffled = random.Random(0).sample(IN_ORDER, len(IN_ORDER))
    assert in_order(shuffled) == IN_ORDER


@pytest.mark.parametrize(
    ("there", "part", "wanted"),
    [
        ([], "minor", "v1.0.0"),
        ([], "patch", "v1.0.0"),
        (["v1.0.0"], "minor", "v1.1.0"),
        (["v1.0.0"], "patch", "v1.0.1"),
        (["v1.9.0", "v1.10.0"], "minor", "v1.11.0"),
        (["v1.2.3"], "major", "v2.0.0"),
        (["v1.2.3"], "prerelease", "v1.2.4-rc.1"),
        (["v1.1.0-rc.1"], "minor", "v1.1.0"),
        (["v1.1.0-rc.1"], "prerelease", "v1.1.0-rc.2"),
        (["v2.0.0-rc.1", "v1.5.0"], "major", "v2.0.0"),
    ],
)
def test_the_next_version_follows_the_highest(there: list[str], part: str, wanted: str) -> None:
    assert next_version(there, part) == wanted  # type: ignore[arg-type]


@given(st.lists(names, max_size=6), st.sampled_from(["major", "minor", "patch", "prerelease"]))
def test_the_next_version_is_new_and_higher(there: list[str], part: str) -> None:
    found = next_version(there, part)  # type: ignore[arg-type]
    assert all(parse_version(found) > parse_version(one) for one in there)


@given(names)
def test_a_name_is_its_own_canonical_form_with_and_without_its_letter(name: str) -> None:
    assert canonical(name) == name == canonical(name.removeprefix("v"))
    assert str(Version.parse(name[1:])) == name[1:]  # what the library reads, nothing lost


@pytest.mark.parametrize(
    "name",
    ["", "v", "v1", "v1.0", "v1.0.0.0", "v01.0.0", "v1.0.0-", "v1.0.0-01", "vv1.0.0", "V1.0.0",
     "v1.0.0+cpu", "v1.0.0/..", "../v1.0.0", "v1.0.0\n", "v\u0661.0.0", "latest", "v1.0.0 ",
     "v1.0.0-" + "a" * 60],
)  # fmt: skip
def test_what_is_no_version_is_refused_with_an_example(name: str) -> None:
    assert not is_version(name)
    with pytest.raises(UsageError, match="is no version") as error:
        canonical(name)
    assert "v1.2.0" in error.value.next_step
