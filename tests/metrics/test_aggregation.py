import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics import item_labels, item_scores


def naive(logits, items, tracks, frames, window):
    groups = {}
    columns = (np.asarray(c).tolist() for c in (items, tracks, frames, logits))
    for item, track, frame, logit in zip(*columns, strict=True):
        groups.setdefault((item, track), []).append((frame, logit))
    best = {}
    for (item, _), rows in groups.items():
        values = [logit for _, logit in sorted(rows)]
        size = min(window, len(values))
        score = max(
            sum(values[start : start + size]) / size for start in range(len(values) - size + 1)
        )
        best[item] = max(score, best.get(item, -np.inf))
    ids = sorted(best)
    return ids, np.array([best[item] for item in ids])


rows = st.lists(
    st.tuples(st.floats(-1e4, 1e4), st.integers(0, 3), st.integers(-1, 2), st.integers(0, 30)),
    min_size=1,
    max_size=60,
)


def columns(drawn):
    logits, items, tracks, frames = zip(*drawn, strict=True)
    return np.array(logits), np.array(items), np.array(tracks), np.array(frames)


@given(rows, st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_agrees_with_a_loop_and_stays_within_the_frames(drawn, window):
    table = columns(drawn)
    ids, scores = item_scores(*table, window=window)
    expected_ids, expected = naive(*table, window)
    assert ids.tolist() == expected_ids
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)
    for item, score in zip(ids, scores, strict=True):
        own = table[0][table[1] == item]
        assert own.min() - 1e-9 <= score <= own.max() + 1e-9


@given(rows, st.randoms(use_true_random=False), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_rows_does_not_matter(drawn, random, window):
    before = item_scores(*columns(drawn), window=window)
    after = item_scores(*columns(random.sample(drawn, len(drawn))), window=window)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_million_rows_against_a_loop():
    rng = np.random.default_rng(0)
    n = 1_000_000
    items, tracks = rng.integers(0, 3000, n), rng.integers(0, 3, n)
    frames = rng.integers(0, 100_000, n)
    # Large logits in some items must not cost the small ones of others their digits.
    logits = rng.normal(size=n) + np.where(items % 2, 1e4, -1e4)
    started = time.perf_counter()
    ids, scores = item_scores(logits, items, tracks, frames)
    seconds = time.perf_counter() - started
    order = np.lexsort((logits, frames, tracks, items))
    keys = items[order] * 3 + tracks[order]
    expected = np.full(3000, -np.inf)
    for part in np.split(order, np.flatnonzero(np.diff(keys)) + 1):
        windows = np.lib.stride_tricks.sliding_window_view(logits[part], min(8, part.size))
        expected[items[part[0]]] = max(expected[items[part[0]]], windows.mean(axis=1).max())
    np.testing.assert_array_equal(ids, np.arange(3000))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)
    assert seconds < 10  # a loop over rows takes longer on any machine


def test_a_short_forgery_is_not_averaged_away():
    logits = np.full(300, -4.0)
    logits[100:108] = 6.0
    zeros = np.zeros(300, dtype=int)
    _, scores = item_scores(logits, zeros, zeros, np.arange(300))
    assert scores.tolist() == [6.0]
    # One odd frame is not enough to flip it.
    logits[101:108] = -4.0
    _, scores = item_scores(logits, zeros, zeros, np.arange(300))
    assert scores.tolist() == [(6 - 7 * 4) / 8]


def test_windows_do_not_cross_tracks_and_a_short_track_has_its_mean():
    logits = np.array([9.0, 1.0, 1.0, 9.0, -5.0, 3.0])
    items = np.array(["b", "b", "b", "b", "a", "a"])
    tracks, frames = np.array([0, 0, 1, 1, 0, 0]), np.array([3, 1, 1, 2, 0, 1])
    ids, scores = item_scores(logits, items, tracks, frames, window=2)
    assert ids.tolist() == ["a", "b"]
    assert scores.tolist() == [-1.0, 5.0]
    assert item_scores(logits, items, tracks, frames, window=100)[1].tolist() == [-1.0, 5.0]
    assert item_scores(logits, items, tracks, frames, window=1)[1].tolist() == [3.0, 9.0]


def test_the_most_suspicious_track_decides():
    ids, scores = item_scores(
        np.array([-3.0, 2.0, -1.0]), np.array([7, 7, 7]), np.array([0, 5, 9]), np.zeros(3, int)
    )
    assert (ids.tolist(), scores.tolist()) == ([7], [2.0])


def test_strings_as_objects_and_large_numbers_are_fine():
    items = np.array(["x", "y", "x"], dtype=object)
    tracks = np.array([2**62, 0, 2**62])
    ids, scores = item_scores(np.array([1.0, 5.0, 3.0]), items, tracks, np.array([0, 0, 1]))
    assert (ids.tolist(), scores.tolist()) == (["x", "y"], [2.0, 5.0])


def test_no_rows():
    nothing = np.zeros(0, dtype=int)
    ids, scores = item_scores(np.zeros(0), nothing, nothing, nothing)
    assert ids.shape == scores.shape == item_labels(nothing, nothing).shape == (0,)


def test_input_that_cannot_be_aggregated():
    one = np.array([1])
    with pytest.raises(UsageError):
        item_scores(np.array([1.0]), one, one, one, window=0)
    with pytest.raises(DataError, match="1 of 1 logits are not finite"):
        item_scores(np.array([np.nan]), one, one, one)
    with pytest.raises(DataError, match="frames"):
        item_scores(np.array([1.0]), one, one, np.array([1, 2]))
    with pytest.raises(DataError, match="do not match"):
        item_labels(one, np.array([1, 2]))


def test_labels_of_items_follow_the_order_of_item_scores():
    items = np.array(["b", "a", "b", "c"])
    labels = np.array([1, 0, 1, 1])
    ids, _ = item_scores(np.zeros(4), items, np.zeros(4, int), np.arange(4))
    assert dict(zip(ids.tolist(), item_labels(labels, items).tolist(), strict=True)) == {
        "a": 0,
        "b": 1,
        "c": 1,
    }


def test_an_item_with_two_labels_is_named():
    items = np.array(["b", "a", "b", "c", "c", "c"])
    with pytest.raises(DataError, match="2 of 3 items have rows of two labels, the first is b"):
        item_labels(np.array([1, 0, 0, 0, 1, 0]), items)
