"""Damaged pictures are found and listed once, in one list."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.data.scan import report_damaged, scan_media
from deepfake_lightning.errors import MediaError
from deepfake_lightning.schemas import Manifest


@pytest.fixture
def damaged(tmp_path: Path, make_faces: Callable[..., Path]) -> Manifest:
    """Return six pictures: row 1 is cut short, row 4 is empty."""
    manifest = read_media(make_faces(tmp_path, people=3))
    cut, empty = (tmp_path / manifest.rows["path"].iloc[row] for row in (1, 4))
    cut.write_bytes(cut.read_bytes()[:-100])
    empty.write_bytes(b"")
    return manifest


def test_faults_are_found_by_row(damaged: Manifest) -> None:
    faults = scan_media(damaged, np.arange(6), quiet=True).faults
    assert faults.to_dict() == {1: "is truncated", 4: "is empty"}
    assert scan_media(damaged, np.array([5, 4]), quiet=True).faults.to_dict() == {4: "is empty"}
    assert scan_media(damaged, np.array([], np.int64), quiet=True).faults.empty


def test_the_others_have_a_digest_of_their_bytes(damaged: Manifest) -> None:
    scan = scan_media(damaged, np.arange(6), quiet=True)
    assert scan.rows.tolist() == [0, 2, 3, 5]
    assert scan.digests.dtype == np.int64
    assert len(set(scan.digests.tolist())) == 4
    first, second = (damaged.root / damaged.rows["path"].iloc[row] for row in (0, 2))
    second.write_bytes(first.read_bytes())
    again = scan_media(damaged, np.array([2, 3]), quiet=True)
    assert again.digests.tolist() == [scan.digests[0], scan.digests[2]]


def test_one_list_names_each(damaged: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    faults = scan_media(damaged, np.arange(6), quiet=True).faults
    with caplog.at_level(logging.WARNING):
        report_damaged(damaged, faults, 6, strict=False, quiet=False)
        report_damaged(damaged, faults, 6, strict=False, quiet=True)
    assert len(caplog.records) == 1
    lines = caplog.records[0].getMessage().splitlines()
    assert lines[0].startswith(f"2 of 6 files in {damaged.root} are skipped")
    assert lines[1:] == ["  fake/person1.jpg: is truncated", "  real/person1.jpg: is empty"]


def test_strict_mode_stops(damaged: Manifest) -> None:
    faults = scan_media(damaged, np.arange(6), quiet=True).faults
    with pytest.raises(MediaError, match=r"2 of 6 files") as caught:
        report_damaged(damaged, faults, 6, strict=True, quiet=False)
    assert "real/person1.jpg: is empty" in caught.value.what
    assert "--data.strict false" in caught.value.next_step


def test_nothing_left_stops_and_does_not_offer_to_go_on(damaged: Manifest) -> None:
    faults = scan_media(damaged, np.array([1, 4]), quiet=True).faults
    with pytest.raises(MediaError, match=r"2 of 2 files") as caught:
        report_damaged(damaged, faults, 2, strict=False, quiet=False)
    assert "--data.strict" not in caught.value.next_step


def test_long_lists_are_cut(damaged: Manifest) -> None:
    rows = pd.concat([damaged.rows] * 10)
    faults = pd.Series("is empty", index=range(50))
    with pytest.raises(MediaError) as caught:
        report_damaged(damaged.with_rows(rows), faults, 60, strict=True, quiet=False)
    assert caught.value.what.endswith("... and 30 more")
    assert len(caught.value.what.splitlines()) == 22
