"""What versions said of requests that were labelled."""

from dataclasses import replace

import pytest

from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.monitoring.log.labelled import LabelledScore, labelled_scores

NOON = 1_700_049_600_000_000


@pytest.fixture
def add(log, request_row):
    """Return a function that logs a request that two versions scored, of the experiment `eyes`."""

    def logged(number, **fields):
        row = request_row(number, number, environment="production", experiment="eyes", **fields)
        shadow = replace(row.items[0], version="v1.1.0", variant="shadow", score=0.25, logit=-1.0)
        log.append(replace(row, items=(row.items[0], shadow)))
        return row

    return logged


def say(log, row, label, after_s, source="review"):
    assert log.label(Label(row.id, row.ts_us + round(after_s * 1e6), label, "desk", source=source))


def test_each_version_that_scored_a_labelled_request(log, add):
    row = add(1)
    add(2)  # nobody says what it was
    say(log, row, 1, 60)
    first, second = labelled_scores(log, experiment="eyes")
    item = row.items[0]
    assert first == LabelledScore(
        row.id, row.ts_us, 1, row.ts_us + 60_000_000, "review", "v1.0.0", "serving",
        item.verdict, item.score, item.logit, "ok",
    )  # fmt: skip
    assert (second.version, second.variant, second.score) == ("v1.1.0", "shadow", 0.25)
    assert (second.request_id, second.label) == (row.id, 1)


def test_the_latest_label_counts_of_those_that_are_asked_for(log, add):
    row = add(1)
    say(log, row, 1, 60)
    say(log, row, 0, 120)
    say(log, row, 1, 180, source="feedback")
    assert {(one.label, one.source) for one in labelled_scores(log)} == {(0, "review")}
    both = labelled_scores(log, sources=("review", "feedback"))
    assert {(one.label, one.source) for one in both} == {(1, "feedback")}
    assert labelled_scores(log, sources=("import",)) == []


def test_a_later_label_of_the_same_time_counts(log, add):
    row = add(1)
    say(log, row, 1, 60)
    say(log, row, 0, 60)
    assert {one.label for one in labelled_scores(log)} == {0}


def test_they_come_in_the_order_of_the_labels(log, add):
    rows = [add(number) for number in range(1, 6)]
    for row, after in zip(rows, (50, 10, 30, 20, 40), strict=True):
        say(log, row, 1, after)
    order = [one.request_id for one in labelled_scores(log)[::2]]
    times = [
        row.ts_us + after * 10**6 for row, after in zip(rows, (50, 10, 30, 20, 40), strict=True)
    ]
    assert order == [row.id for _, row in sorted(zip(times, rows, strict=True), key=lambda o: o[0])]
    assert [one.label_us for one in labelled_scores(log)[::2]] == sorted(times)


def test_only_those_of_an_environment_an_experiment_and_a_time(log, add, request_row):
    rows = [add(number) for number in (1, 2)]
    other = request_row(9, 9, environment="staging", experiment="staging")
    log.append(other)
    for row in (*rows, other):
        say(log, row, 0, 60)

    def found(**wanted):
        return sorted({one.request_id for one in labelled_scores(log, **wanted)})

    assert found() == ["r00001", "r00002", "r00009"]
    assert found(environment="staging") == ["r00009"]
    assert found(experiment="eyes") == ["r00001", "r00002"]
    assert found(experiment="eyes", environment="staging") == []
    assert found(start_us=NOON + 2_000_000) == ["r00002", "r00009"]
    assert found(start_us=NOON + 2_000_000, end_us=NOON + 9_000_000) == ["r00002"]


def test_an_erased_request_is_gone(log, add):
    row = add(1)
    say(log, row, 1, 60)
    assert log.erase(row.id)
    assert labelled_scores(log) == []
