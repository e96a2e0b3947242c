from deepfake_lightning.monitoring.windows import Scope, recent_predictions


def test_the_latest_requests_of_a_scope_come_first(watched, traffic):
    found = recent_predictions(watched, Scope("production"), number=3)
    expected = [row for row in traffic if row.environment == "production"][:-4:-1]
    assert [one.id for one in found] == [row.id for row in expected]
    first, row = found[0], expected[0]
    assert (first.version, first.verdict, first.score) == (
        row.version, row.items[0].verdict, row.items[0].score,
    )  # fmt: skip
    assert (first.latency_us, first.http_status, first.error) == (row.latency_us, 200, None)


def test_pages_follow_each_other(watched, traffic):
    scope = Scope("production", "v1.1.0")
    first = recent_predictions(watched, scope, number=30)
    rest = recent_predictions(watched, scope, number=100, before_us=first[-1].ts_us)
    ids = [one.id for one in (*first, *rest)]
    assert ids == [row.id for row in traffic if row.version == "v1.1.0"][::-1]


def test_requests_without_a_result_are_among_them(watched, traffic):
    found = recent_predictions(watched, Scope("production", media_type="unknown"))
    assert {one.http_status for one in found} == {500, 503, 422}
    assert {one.verdict for one in found} == {None}
    assert {one.error for one in found} == {"unreadable"}


def test_what_a_shadow_version_said_is_its_own(watched, traffic):
    found = recent_predictions(watched, Scope(variant="shadow"), number=2)
    row = traffic[239]
    assert (found[0].version, found[0].score) == ("v2.0.0", row.items[1].score)
    assert found[0].id == row.id


def test_only_the_end_of_the_index_is_looked_through(watched, traffic, monkeypatch):
    monkeypatch.setattr("deepfake_lightning.monitoring.windows.recent.LOOKED_AT", 10)
    found = recent_predictions(watched, Scope("production"), number=50)
    assert [one.id for one in found] == [row.id for row in traffic[239:229:-1]]
