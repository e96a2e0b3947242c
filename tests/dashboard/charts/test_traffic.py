import pytest

from deepfake_lightning.dashboard.charts import traffic
from deepfake_lightning.dashboard.charts.drawing import colours_of, mark, span
from deepfake_lightning.dashboard.deployments import Mark
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.monitoring.windows import Series

NOTHING = Series(60, (), {})


@pytest.fixture
def series(busy, source_of):
    return source_of(busy).series(View("traffic"))


def test_latency_has_three_lines_for_each_version_with_their_unit(series):
    figure = traffic.latency(series)
    names = [one.name for one in figure.data]
    assert names == [f"{v} {p}" for v in ("v1.0.0", "v1.1.0") for p in ("p50", "p95", "p99")]
    assert figure.layout.yaxis.title.text == "latency, ms"
    p50, p95, p99 = ([y for y in one.y if y is not None] for one in figure.data[:3])
    assert len(p50) > 20
    assert all(a <= b <= c for a, b, c in zip(p50, p95, p99, strict=True))
    assert 10 < p50[0] < 100  # a lognormal about 36 ms


def test_requests_add_up_to_those_that_came(series):
    figure = traffic.requests(series)
    came = sum(sum(one.y) for one in figure.data) * series.step_s
    assert came == pytest.approx(299, abs=1e-6)
    assert figure.layout.barmode == "stack"


def test_wrong_requests_are_no_failures(series):
    failed, refused, wrong = traffic.errors(series).data
    assert max(y for y in failed.y if y is not None) == 0
    assert max(y for y in refused.y if y is not None) == 0
    assert max(y for y in wrong.y if y is not None) > 10  # percent: one of five or six in a minute


def test_verdicts_of_a_step_add_up_to_all_of_it(series):
    steps = zip(*(one.y for one in traffic.verdicts(series).data), strict=True)
    sums = [sum(each) for each in steps if None not in each]
    assert sums == pytest.approx([100] * len(sums))


@pytest.mark.parametrize("draw", [traffic.latency, traffic.requests, traffic.errors,
                                  traffic.verdicts])  # fmt: skip
def test_nothing_is_drawn_of_nothing(draw):
    assert all(not one.y for one in draw(NOTHING).data)


def test_a_change_is_a_line_that_says_what_it_was(series):
    at_us = series.starts_us[5]
    figure = mark(traffic.latency(series), [Mark(at_us, "deploy", "v1.1.0", "ana", "")])
    assert len(figure.layout.shapes) == 1
    assert figure.data[-1].text == ("deploy by ana: v1.1.0",)
    assert not mark(traffic.latency(series), []).layout.shapes


def test_the_axis_shows_all_of_the_period(series):
    start, end = span(traffic.requests(series), 0, 3_600_000_000).layout.xaxis.range
    assert (end - start).total_seconds() == 3600


def test_a_version_has_its_colour_in_the_shadow_too():
    found = colours_of(["v1.0.0", "v1.1.0 shadow", "v1.1.0"])
    assert found["v1.1.0"] == found["v1.1.0 shadow"] != found["v1.0.0"]
