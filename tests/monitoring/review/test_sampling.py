"""Which requests are drawn for review, and that they are queued with the request."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from deepfake_lightning.monitoring.log import LogWriter, PredictionLog, new_request_id
from deepfake_lightning.monitoring.log.tables import review_queue
from deepfake_lightning.monitoring.review import ReviewPolicy, chance_of, drawing, drawn
from deepfake_lightning.monitoring.review.sampling import chances, place_of, wants_second

POLICY = ReviewPolicy(rate=0.1)
IDS = st.text(min_size=1, max_size=64)


def scored(row, score, **fields):
    return replace(row, items=(replace(row.items[0], score=score, **fields),))


def queue_of(log):
    with log.reading() as connection:
        return {row.request_id: row for row in connection.execute(select(review_queue))}


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.0, (0.1, "0-0.1")), (0.0999, (0.1, "0-0.1")), (0.1, (0.2, "0.1-0.3")),
     (0.5, (0.3, "0.3-0.7")), (0.7, (0.2, "0.7-1")), (1.0, (0.2, "0.7-1"))],
)  # fmt: skip
def test_the_stratum_is_that_of_the_score(request_row, score, expected):
    probability, stratum = chance_of(scored(request_row(1), score), POLICY)
    assert (pytest.approx(probability), stratum) == expected


def test_what_has_no_calibrated_score_has_a_stratum_of_its_own(request_row):
    row = request_row(1)
    assert chance_of(scored(row, None, status="no_face"), POLICY) == (0.1 * 0.2, "no_face")
    assert chance_of(scored(row, 0.9, calibrated=False), POLICY) == (0.1, "uncalibrated")


def test_errors_and_what_is_no_traffic_are_never_drawn(request_row):
    row, everything = request_row(1), ReviewPolicy(rate=1.0)
    assert chance_of(row, everything) is not None
    assert chance_of(replace(row, http_status=503), everything) is None
    assert chance_of(replace(row, items=()), everything) is None
    assert chance_of(scored(row, None, status="unreadable"), everything) is None
    assert chance_of(replace(row, route="predict"), everything) is None
    assert chance_of(row, ReviewPolicy(rate=0)) is None


@given(score=st.none() | st.floats(0, 1), calibrated=st.booleans())
def test_in_an_experiment_the_chance_tells_nothing_of_the_score(score, calibrated):
    """A/B tests compare labels as they are: those of one arm must not be picked by its score."""
    status = "no_face" if score is None else "ok"
    dealt = chances(POLICY).of(status, score, calibrated=calibrated, dealt=True)
    assert dealt == (pytest.approx(0.2), "experiment")


def test_an_experiment_is_told_from_the_name_that_all_requests_carry(request_row):
    row = replace(request_row(1), environment="production")
    assert chance_of(replace(row, experiment="production"), POLICY)[1] != "experiment"
    assert chance_of(replace(row, experiment=None), POLICY)[1] != "experiment"
    assert chance_of(replace(row, experiment="v2-against-v1"), POLICY)[1] == "experiment"


@given(name=IDS, low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_chance_draws_the_same_ones_and_more(name, low, high):
    low, high = sorted((low, high))
    assert drawn(name, 1.0)
    assert not drawn(name, 0.0)
    assert drawn(name, high) or not drawn(name, low)


def test_draws_are_uniform_and_second_opinions_independent_of_them():
    names = [new_request_id(1_700_000_000_000_000 + 1000 * number) for number in range(5000)]
    places = [place_of(name, b"review") for name in names]
    for share in (0.01, 0.1, 0.5):
        expected, sigma = 5000 * share, math.sqrt(5000 * share * (1 - share))
        assert abs(sum(place < share for place in places) - expected) < 5 * sigma
    among = [wants_second(name, 0.1) for name in names if drawn(name, 0.1)]
    assert abs(sum(among) - 0.1 * len(among)) < 5 * math.sqrt(0.09 * len(among))


def test_weights_of_what_was_drawn_give_the_traffic_back(tmp_path, request_row):
    row = request_row(1)
    rows = [replace(scored(row, number / 2000), id=f"r{number}") for number in range(2000)]
    with PredictionLog(tmp_path / "log.db") as log:
        log.append_many(rows, draw=drawing(ReviewPolicy(rate=0.2)))
        weights = {name: 1 / row.probability for name, row in queue_of(log).items()}
    spread = math.sqrt(sum(weight * (weight - 1) for weight in weights.values()))
    assert abs(sum(weights.values()) - 2000) < 5 * spread
    assert 250 < len(weights) < 1000


def test_what_is_drawn_is_queued_as_it_is_written(log, request_row):
    rows = [replace(request_row(number), environment="production") for number in range(200)]
    draw = drawing(ReviewPolicy(rate=0.3))
    with LogWriter(log, rollup_seconds=None, draw=draw) as writer:
        for row in rows:
            writer.put(row)
    found = queue_of(log)
    assert found.keys() == {row.id for row in rows if draw(row)}
    assert 20 < len(found) < 180
    for row in rows:
        if row.id in found:
            one = found[row.id]
            assert (one.probability, one.stratum) == draw(row)
            assert (one.ts_us, one.environment, one.version) == (row.ts_us, "production", "v1.0.0")


def test_a_batch_that_is_refused_queues_nothing_and_its_rows_are_queued_once(log, request_row):
    """The second row is refused by the database: the others are written again, one by one."""
    draw = drawing(ReviewPolicy(rate=1.0))
    log.append_many([request_row(1)])
    with LogWriter(log, flush_seconds=60, rollup_seconds=None, draw=draw) as writer:
        for number in (0, 1, 2):
            writer.put(request_row(number))
    assert queue_of(log).keys() == {"r00000", "r00002"}
    assert writer.dropped == 1


def test_what_is_erased_before_its_row_is_written_is_not_queued(quick, request_row):
    name = new_request_id(request_row(1).ts_us)
    quick.erase(name)
    quick.append_many([replace(request_row(1), id=name)], draw=drawing(ReviewPolicy(rate=1.0)))
    assert not queue_of(quick)


def test_what_is_erased_leaves_the_queue(quick, request_row):
    quick.append_many([request_row(1)], draw=drawing(ReviewPolicy(rate=1.0)))
    assert queue_of(quick)
    assert quick.erase("r00001")
    assert not queue_of(quick)
