"""Roll-ups against plain counting, whatever was written, labelled and erased, in whatever order."""

from __future__ import annotations

import bisect
import math
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log import ItemScore, Label, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.rollup_windows import merged, read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.tables import (
    COUNTS,
    dirty_minutes,
    log_state,
    requests,
    rollups,
)
from deepfake_lightning.monitoring.log.totals import LATENCY_EDGES, QUALITY, SCORE_EDGES, STAGES
from deepfake_lightning.monitoring.log.writing import write_rows

NOON = 1_700_049_600_000_000
MINUTE = 60_000_000
BY = ["environment", "version", "variant", "media_type", "route"]
MAKER = """
import sys
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
with PredictionLog(sys.argv[1]) as log:
    print(make_rollups(log, wait_seconds=20))
"""

optional = st.none() | st.integers(0, 5_000_000)
verdicts = st.sampled_from(
    [None, "manipulation_indicated", "no_indication", "inconclusive", "not_assessable"]
)
scores = st.builds(
    ItemScore,
    item=st.integers(0, 2),
    status=st.sampled_from(["ok", "no_face", "unreadable"]),
    logit=st.none(),
    score=st.none() | st.sampled_from([0.0, 1.0, 0.5, 1e-9]) | st.floats(0, 1),
    calibrated=st.booleans(),
    faces=st.just(1),
    tracks=st.just(1),
    version=st.sampled_from(["v1.0.0", "v1.1.0"]),
    verdict=verdicts,
    network_us=optional,
    brightness=st.none() | st.floats(0, 255),
    noise=st.none() | st.floats(0, 50),
)
rows = st.builds(
    LoggedRequest,
    id=st.just(""),
    # Three hours, with the first and last moments of minutes and hours among them.
    ts_us=st.builds(
        lambda minute, off: NOON + minute * MINUTE + off,
        st.integers(0, 179) | st.sampled_from([0, 59, 60, 119, 120]),
        st.sampled_from([0, 1, MINUTE - 1, 30_000_000]),
    ),
    version=st.sampled_from(["v1.0.0", "v1.1.0", ""]),
    bundle=st.just("ab"),
    route=st.sampled_from(["/v1/predict", "predict"]),
    http_status=st.sampled_from([200, 201, 302, 400, 422, 429, 500, 502, 503]),
    bytes=st.just(1),
    latency_us=st.integers(0, 10**10) | st.sampled_from([63, 64, 2**32]),
    media_type=st.sampled_from([None, "image", "video"]),
    environment=st.sampled_from([None, "production"]),
    variant=st.sampled_from([None, "serving"]),
    queue_us=optional,
    network_us=optional,
    items=st.lists(scores, max_size=2).map(tuple),
)
some = st.integers(0, 3)  # few, so that the same ones are met again
steps = st.lists(
    st.tuples(st.just("write"), st.lists(rows, min_size=1, max_size=4))
    | st.tuples(st.just("shadow"), st.tuples(some, scores))
    | st.tuples(st.just("label"), st.tuples(some, st.integers(0, 5), st.sampled_from([0, 1])))
    | st.tuples(st.just("erase"), some)
    | st.tuples(st.just("make"), st.none()),
    max_size=25,
)  # fmt: skip


class Known:
    """What the log should hold, as plain lists."""

    def __init__(self, log: PredictionLog) -> None:
        self.log = log
        self.rows: dict[str, LoggedRequest] = {}
        self.labels: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        self.made = 0

    def write(self, given: list[LoggedRequest]) -> None:
        named = [replace(row, id=f"r{self.made + place}") for place, row in enumerate(given)]
        self.made += len(given)
        self.log.append_many(named)
        self.rows |= {row.id: row for row in named}

    def shadow(self, given: tuple[int, ItemScore]) -> None:
        name, score = f"r{given[0]}", replace(given[1], variant="shadow")
        with self.log.writing() as connection:
            unknown = write_rows(connection, [], [(name, score)])
        assert bool(unknown) == (name not in self.rows)
        if name in self.rows:
            row = self.rows[name]
            self.rows[name] = replace(row, items=(*row.items, score))

    def label(self, given: tuple[int, int, int]) -> None:
        name = f"r{given[0]}"
        kept = self.log.label(Label(name, given[1], given[2], by="ada"))  # type: ignore[arg-type]
        assert kept == (name in self.rows)
        if kept:
            self.labels[name].append((given[1], len(self.labels[name]), given[2]))

    def erase(self, given: int) -> None:
        name = f"r{given}"
        assert self.log.erase(name) == (name in self.rows)
        self.rows.pop(name, None)
        self.labels.pop(name, None)

    def make(self, _: None) -> None:
        make_rollups(self.log)

    def counted(self, start: int, end: int) -> dict[tuple[str, ...], Counter[Any]]:
        """Return what read_rollups should, as plain counts."""
        found: dict[tuple[str, ...], Counter[Any]] = defaultdict(Counter)
        for row in self.rows.values():
            if not start <= row.ts_us < end:
                continue
            of = (row.environment or "", row.media_type or "", row.route)
            count_request(found[of[0], row.version, "serving", *of[1:]], row)
            truth = max(self.labels[row.id])[2] if self.labels[row.id] else None
            for item in row.items:
                count_item(found[of[0], item.version, item.variant, *of[1:]], item, truth)
        return found


def count_request(sums: Counter[Any], row: LoggedRequest) -> None:
    sums["requests"] += 1
    sums["latency_us"] += row.latency_us
    hundreds = row.http_status // 100
    if row.http_status == 503:
        sums["status_503"] += 1
    elif hundreds in (2, 4, 5):
        sums[f"status_{hundreds}xx"] += 1
    sums["latency", bisect.bisect_right(LATENCY_EDGES.tolist(), row.latency_us)] += 1
    for stage in STAGES:
        took = getattr(row, f"{stage}_us")
        if took is not None:
            sums["stages", stage] += took
            sums["took", stage] += 1


def count_item(sums: Counter[Any], item: ItemScore, truth: int | None) -> None:
    sums["items"] += 1
    sums[item.status] += item.status != "ok"
    sums[item.verdict] += item.verdict is not None
    if truth is not None:
        sums["labelled"] += 1
        names = {("manipulation_indicated", 1): "tp", ("manipulation_indicated", 0): "fp",
                 ("no_indication", 1): "fn", ("no_indication", 0): "tn"}  # fmt: skip
        sums[names.get((str(item.verdict), truth))] += 1
    if item.score is not None:
        edges = SCORE_EDGES.tolist()
        if item.score in (0.0, 1.0):
            bucket = 0 if item.score == 0.0 else 39
        else:
            log_odds = math.log(item.score) - math.log1p(-item.score)
            bucket = min(max(bisect.bisect_right(edges, log_odds) - 1, 0), 39)
        sums["scores", bucket] += 1
    for name in QUALITY:
        value = getattr(item, name)
        if value is not None:
            for power in range(3):
                sums["quality", name, power] += value**power
    if item.variant == "shadow" and item.network_us is not None:
        sums["stages", "network"] += item.network_us
        sums["took", "network"] += 1


def as_counts(totals: Any) -> Counter[Any]:
    sums: Counter[Any] = Counter({name: totals.count(name) for name in COUNTS})
    sums |= Counter({("latency", at): int(n) for at, n in enumerate(totals.latency)})
    sums |= Counter({("scores", at): int(n) for at, n in enumerate(totals.scores)})
    for at, stage in enumerate(STAGES):
        sums["took", stage], sums["stages", stage] = totals.stages[at].tolist()
    for at, name in enumerate(QUALITY):
        for power in range(3):
            sums["quality", name, power] = totals.quality[at, power]
    return sums


def agree(log: PredictionLog, known: Known, start: int, end: int) -> None:
    found = {tuple(one.key.values()): as_counts(one.totals)
             for one in read_rollups(log, start, end, by=BY)}  # fmt: skip
    expected = known.counted(start, end)
    assert found.keys() == expected.keys()
    for key, sums in expected.items():
        for name in (sums.keys() | found[key].keys()) - {None, "ok"}:
            assert found[key][name] == pytest.approx(sums[name], rel=1e-9, abs=1e-9), (key, name)


def cleared(log: PredictionLog) -> None:
    with log.writing() as connection:
        for table in (requests, rollups, dirty_minutes):
            connection.execute(delete(table))
        connection.execute(update(log_state).values(pruned_before_us=0))


minutes = st.integers(-5, 185)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=st.lists(rows, min_size=2, max_size=4), steps=steps, window=st.tuples(minutes, minutes)
)
def test_rollups_are_what_plain_counting_gives(
    log: PredictionLog,
    first: list[LoggedRequest],
    steps: list[tuple[str, Any]],
    window: tuple[int, int],
) -> None:
    cleared(log)
    known = Known(log)
    known.write(first)
    for name, what in steps:
        getattr(known, name)(what)
    make_rollups(log)
    begin, end = sorted(window)
    agree(log, known, NOON + begin * MINUTE, NOON + end * MINUTE)
    agree(log, known, NOON - 10**10, NOON + 10**11)
    with log.reading() as connection:
        assert connection.execute(select(dirty_minutes)).all() == []


def test_late_rows_labels_and_erasures_change_minutes_that_were_made(
    log: PredictionLog, request_row: Callable[..., LoggedRequest]
) -> None:
    log.append_many([request_row(0, 1), request_row(1, 61)])
    assert make_rollups(log) == 2
    assert make_rollups(log) == 0
    log.append(request_row(2, 2, environment="production"))
    assert make_rollups(log) == 1

    def requests_seen() -> int:
        found = read_rollups(log, NOON, NOON + 60 * MINUTE)
        return sum(one.totals.count("requests") for one in found)

    assert requests_seen() == 3
    log.erase("r00000")
    assert make_rollups(log) == 1
    assert requests_seen() == 2
    log.label(Label("r00001", 5, 1, by="ada"))
    assert make_rollups(log) == 1
    assert read_rollups(log, NOON, NOON + 2 * MINUTE)[0].totals.count("labelled") == 1


def test_the_latest_label_counts(log: PredictionLog, request_row: Callable[..., Any]) -> None:
    row = request_row(0)
    said = replace(row.items[0], verdict="manipulation_indicated")
    log.append(replace(row, items=(said,)))

    def outcome() -> list[int]:
        make_rollups(log)
        totals = merged(read_rollups(log, NOON, NOON + MINUTE))
        return [totals.count(name) for name in ("labelled", "tp", "fp")]

    for ts_us, label, expected in ((5, 1, [1, 1, 0]), (3, 0, [1, 1, 0]), (5, 0, [1, 0, 1])):
        log.label(Label("r00000", ts_us, label, by="ada"))
        assert outcome() == expected


def test_a_shadow_score_that_comes_late_is_added(
    log: PredictionLog, request_row: Callable[..., Any]
) -> None:
    log.append(request_row(0))
    make_rollups(log)
    score = replace(request_row(1).items[0], version="v1.1.0", variant="shadow")
    with log.writing() as connection:
        assert write_rows(connection, [], [("r00000", score)]) == []
    assert make_rollups(log) == 1
    shadow = read_rollups(log, NOON, NOON + MINUTE, where={"variant": "shadow"})
    assert [(one.key["version"], one.totals.count("items")) for one in shadow] == [("v1.1.0", 1)]
    assert shadow[0].totals.count("requests") == 0
    assert shadow[0].totals.stage_mean("network") == 7000


def test_what_comes_while_a_rollup_is_made_is_not_forgotten(
    log: PredictionLog, request_row: Callable[..., LoggedRequest]
) -> None:
    """Writers and makers at once, in threads and in other processes."""
    if log.file is not None:
        address = log.name
    else:
        address = log._engine.url.render_as_string(hide_password=False)
    end = threading.Event()

    def make() -> None:
        with PredictionLog(address) as own:
            while not end.is_set():
                make_rollups(own)

    makers = [threading.Thread(target=make) for _ in range(2)]
    for maker in makers:
        maker.start()
    process = subprocess.Popen([sys.executable, "-c", MAKER, address], stdout=subprocess.PIPE)

    def write(thread: int) -> None:
        for number in range(60):
            log.append(request_row(100 * thread + number, number % 7 * 60))
            if number % 3 == 0:
                log.erase(f"r{100 * thread + number:05d}")

    writers = [threading.Thread(target=write, args=(thread,)) for thread in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    end.set()
    for maker in makers:
        maker.join()
    assert process.wait(60) == 0
    make_rollups(log, wait_seconds=20)
    found = merged(read_rollups(log, NOON, NOON + 60 * MINUTE))
    assert found.count("requests") == found.count("items") == 120 == log.count()


def test_one_of_several_makes_them(log: PredictionLog, request_row: Any) -> None:
    log.append(request_row(0))
    with log.sole() as alone:
        assert alone
        assert make_rollups(log) == 0
    assert make_rollups(log) == 1


def test_a_series_has_a_step_for_each_time(
    log: PredictionLog, request_row: Callable[..., LoggedRequest]
) -> None:
    log.append_many([request_row(number, 600 * number) for number in range(20)])
    make_rollups(log)
    hours = read_rollups(log, NOON, NOON + 4 * 60 * MINUTE, step_s=3600)
    assert [one.totals.count("requests") for one in hours] == [6, 6, 6, 2]
    assert [one.start_us - NOON for one in hours] == [0, 3600e6, 7200e6, 10800e6]
    ten = read_rollups(log, NOON + 1, NOON + 60 * MINUTE, step_s=600, by=[])
    assert [one.totals.count("requests") for one in ten] == [1] * 6
    assert read_rollups(log, NOON, NOON + MINUTE, where={"version": "v9.0.0"}) == []
    assert merged([]).count("requests") == 0


def test_a_long_window_reads_hours_and_few_minutes(log: PredictionLog, request_row: Any) -> None:
    log.append_many([request_row(number, 60 * number) for number in range(300)])
    make_rollups(log)
    with log.writing() as connection:  # minutes within whole hours are not looked at
        within = (rollups.c.start_us >= NOON + 60 * MINUTE) & (
            rollups.c.start_us < NOON + 240 * MINUTE
        )
        connection.execute(delete(rollups).where(rollups.c.span_s == 60, within))
    found = merged(read_rollups(log, NOON + 10 * MINUTE, NOON + 250 * MINUTE))
    assert found.count("requests") == 240


@pytest.mark.parametrize(
    "wrong", [{"by": ["colour"]}, {"where": {"colour": "red"}}, {"step_s": 90}]
)
def test_what_cannot_be_asked_is_refused(log: PredictionLog, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        read_rollups(log, 0, 1, **wrong)
    assert caught.value.next_step
