import re

import pytest

from deepfake_lightning.monitoring.report.charts import histogram, lines
from deepfake_lightning.monitoring.report.drawing import ticks
from deepfake_lightning.monitoring.report.words import duration, milliseconds, rate
from deepfake_lightning.monitoring.windows import Period

HOUR = Period(0, 3_600_000_000)


@pytest.mark.parametrize(
    ("top", "expected"),
    [(3.1, [0, 1, 2, 3, 4]), (0.04, [0, 0.01, 0.02, 0.03, 0.04]), (990, [0, 250, 500, 750, 1000])],
)
def test_levels_are_round_numbers(top, expected):
    assert ticks(top) == pytest.approx(expected)


def test_a_line_is_broken_where_there_is_no_value():
    drawn = lines("latency", {"v1.0.0": [(0, 1.0), (1e9, 2.0), (2e9, None), (3e9, 4.0)]}, HOUR)
    path = re.search(r'd="(M[^"]+)" fill="none" stroke="var\(--c0\)"[^/]*stroke-width="2" s', drawn)
    assert path is not None
    assert path[1].count("M") == 2
    assert path[1].count("L") == 1


def test_higher_is_further_up_and_later_further_right():
    drawn = lines("rate", {"a": [(0, 0.0), (3.6e9, 1.0)]}, HOUR)
    start, end = re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn)[:2]
    assert float(start[0]) < float(end[0])
    assert float(start[1]) > float(end[1])


def test_no_values_are_said_to_be_none():
    assert "nothing in this period" in lines("rate", {}, HOUR)


def test_scores_are_shares_of_each_version():
    one, ten = [0] * 40, [0] * 40
    one[20], ten[20] = 1, 10
    drawn = histogram("scores", {"a": one, "b": ten})
    first, second = re.findall(r'<polygon points="([^"]+)"', drawn)
    assert first == second
    assert "100 %" in drawn


def test_numbers_are_told_in_the_unit_that_reads_well():
    assert [rate(one) for one in (None, 0, 12.34, 0.5, 0.001)] == [
        "undefined", "0/s", "12.3/s", "30/min", "3.6/h",
    ]  # fmt: skip
    assert rate(4321) == "4,321/s"
    assert [milliseconds(one) for one in (None, 0.5, 48.23, 1234, 12_345)] == [
        "undefined", "0.5 ms", "48.2 ms", "1,234 ms", "12.3 s",
    ]  # fmt: skip
    assert [duration(one) for one in (None, 40, 600, 7200, 432_000)] == [
        "undefined", "40 s", "10 min", "2.0 h", "5.0 days",
    ]  # fmt: skip
