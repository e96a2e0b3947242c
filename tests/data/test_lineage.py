"""A checkpoint knows whom it has seen, without naming them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.data.lineage import check_unseen, identity_digests
from deepfake_lightning.errors import SplitError

Rows = Callable[..., pd.DataFrame]


def test_digests_are_of_every_identity_and_do_not_change(make_rows: Rows) -> None:
    rows = make_rows(2, group_id="g", target_id=["ann", None], source_id=["bob", "ann"])
    digests = identity_digests(rows)
    assert digests.dtype == np.int64
    assert len(digests) == 3
    assert (np.diff(digests) > 0).all()
    np.testing.assert_array_equal(identity_digests(rows[::-1]), digests)
    # checkpoints keep them, so they may not depend on versions or processes
    assert identity_digests(make_rows(1, group_id="g")).tolist() == [2661552737135727888]


def test_seen_people_are_refused_in_every_role(make_rows: Rows) -> None:
    trained = make_rows(2, group_id=["g1", "g2"], target_id=["ann", "bob"], source_id=[None, "eve"])
    held = identity_digests(trained)
    for seen in (
        make_rows(1, group_id="g2"),
        make_rows(1, group_id="new", target_id="ann"),
        make_rows(1, group_id="new", target_id="eve"),
        make_rows(1, group_id="new", target_id="dan", source_id="bob"),
    ):
        with pytest.raises(SplitError, match="identities of the test split were trained on"):
            check_unseen(seen, held, "test")
    check_unseen(make_rows(3, target_id="dan", group_id="new"), held, "test")


def test_the_message_counts_and_names_one(make_rows: Rows) -> None:
    held = identity_digests(make_rows(2))
    with pytest.raises(SplitError, match=r"2 of 5 identities of the val split .* 'd/g0' for one"):
        check_unseen(make_rows(5), held, "val")


def test_equal_names_in_another_data_set_are_other_people(make_rows: Rows) -> None:
    held = identity_digests(make_rows(5, target_id="7"))
    check_unseen(make_rows(5, target_id="7", dataset="other"), held, "test")
