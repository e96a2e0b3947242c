"""What somebody reads on the pages: with an hour of traffic, with none, without a log."""

import json
import shutil
from pathlib import Path

import pytest

from deepfake_lightning.dashboard import pages
from deepfake_lightning.dashboard.callbacks import shown
from deepfake_lightning.dashboard.shell import navigation
from deepfake_lightning.dashboard.view import PAGES, View
from deepfake_lightning.monitoring.alerts import Alert
from deepfake_lightning.monitoring.drift import DriftRecord, FeatureDrift
from deepfake_lightning.monitoring.drift.records import keep_record
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.storage import Workspace


@pytest.fixture
def read(source_of, text):
    """Return a function that gives the text of a page."""

    def read(workspace, page, who="ada", **filters):
        return text(pages.render(source_of(workspace), View(page, **filters), who))

    return read


def test_the_overview_says_how_things_stand(read, busy):
    said = read(busy, "overview")
    assert "All is well" in said
    assert "v1.0.0 70 % v1.1.0 30 %" in said
    assert "Requests 299" in said
    assert "Errors 0.00 %" in said
    assert "manipulation indicated" in said
    assert "415 unreadable" in said


def test_figures_are_of_what_was_chosen(read, busy):
    assert "Requests 100" not in read(busy, "traffic")
    assert "Requests 99" in read(busy, "traffic", version="v1.1.0")
    assert "No requests" in read(busy, "traffic", env="staging")
    assert "No requests" in read(busy, "traffic", media="video")


def test_deployments_are_told_on_the_time_axis_and_below_it(read, busy):
    said = read(busy, "traffic")
    assert "2 changes of what serves are marked" in said
    assert "deploy v1.0.0 ana the first" in said


def test_what_people_wrote_is_text_and_no_markup(source_of, busy):
    rendered = pages.render(source_of(busy), View("versions"), "ada")
    plain = json.dumps([one.to_plotly_json() for one in rendered], default=lambda o: o.__dict__)
    assert "<b>try</b> it" in plain  # as a child of plain HTML, which React escapes
    assert "DangerouslySetInnerHTML" not in plain
    assert "dangerously_allow_html" not in plain


def test_scores_without_a_bundle_say_so(read, busy):
    said = read(busy, "scores")
    assert "Its bundle has no reference here." in said
    assert "v1.1.0" in said


@pytest.mark.parametrize("page", PAGES)
def test_where_nothing_was_served_the_page_says_what_to_type(read, tmp_path, page):
    said = read(Workspace(tmp_path / "mlops"), page)
    assert "deepfake-lightning " in said
    assert not (tmp_path / "mlops").exists()  # looking makes nothing


def test_there_is_no_such_page(read, busy):
    assert "no such page" in read(busy, "passwords")


@pytest.mark.parametrize("page", ["overview", "performance", "traffic", "drift", "review"])
def test_a_log_that_cannot_be_read_is_said_so(source_of, text, tmp_path, page):
    workspace = Workspace(tmp_path / "mlops")
    (workspace.monitoring).mkdir(parents=True)
    (workspace.monitoring / "predictions.db").write_bytes(b"no database" * 100)
    said = text(shown(source_of(workspace), View(page), "ada"))
    assert "This cannot be read now" in said
    assert "predictions.db" in said
    assert "Traceback" not in said


def test_a_log_that_comes_later_is_found_and_one_that_goes_is_missed(
    source_of, text, busy, tmp_path
):
    source = source_of(Workspace(tmp_path / "mlops"))
    assert "no prediction log" in text(pages.render(source, View("traffic"), "ada"))
    shutil.copytree(busy.root, tmp_path / "mlops")
    source.changed()
    assert "Requests 299" in text(pages.render(source, View("traffic"), "ada"))
    for path in (tmp_path / "mlops" / "monitoring").glob("predictions.db*"):
        path.unlink()
    source.changed()
    assert "no prediction log" in text(pages.render(source, View("traffic"), "ada"))


def test_a_wrong_period_says_which_there_are(source_of, text, busy):
    said = text(shown(source_of(busy), View("traffic", period="yesterday"), "ada"))
    assert "yesterday" in said
    assert "24h" in said


def test_drift_names_what_moved_and_shows_requests_when_asked(read, busy_copy, now_us):
    moved = FeatureDrift("brightness", 1e-4, 8e-4, 0.4, 0.1, True, before=90.0, after=140.0,
                         quantile=0.5, reference=(0.9, 0.1), current=(0.2, 0.8),
                         edges=(0.0, 125.0, 255.0))  # fmt: skip
    start = now_us - now_us % 60_000_000 - 15 * 60_000_000
    record = DriftRecord("production", "v1.0.0", start, start + 12 * 60_000_000, 40, 0.94, True,
                         True, (moved,), 0.8, ("brightness moved up",), sampled=40)  # fmt: skip
    with PredictionLog(busy_copy.monitoring / "predictions.db") as log:
        keep_record(log, record)
    said = read(busy_copy, "drift")
    assert "What v1.0.0 sees has drifted. Brightness moved up" in said
    assert "50 %: 90 to 140" in said
    assert "Show the requests that stand out most" in said
    assert f"{5:032x}" not in said
    asked = read(busy_copy, "drift", feature="brightness")
    assert "Requests that stand out most:" in asked
    assert asked.count("000000000000") >= 3  # ids of requests
    assert "moved: brightness" in read(busy_copy, "overview")


def _alert(workspace: Workspace, **changes) -> Alert:
    alert = Alert("0123abcd", "errors", "production/v1.0.0", "firing", "critical", 1, fired_us=2,
                  value=0.02, limit=0.01, n=400, says="2.0 % of 400 requests failed",
                  next_step="deepfake-lightning rollback --env production",
                  environment="production", **changes)  # fmt: skip
    folder = workspace.monitoring / "alerts"
    folder.mkdir(parents=True, exist_ok=True)
    record = {"schema": 1, "serial": 1, "alerts": [alert.to_dict()], "silences": [], "outbox": [],
              "unwritten": [], "rounds": {}}  # fmt: skip
    (folder / "state.json").write_text(json.dumps(record))
    return alert


def test_an_alert_is_on_all_that_it_concerns(read, busy_copy):
    _alert(busy_copy)
    assert "1 alert fires: errors of production/v1.0.0: 2.0 % of 400 requests failed" in read(
        busy_copy, "overview"
    )
    said = read(busy_copy, "alerts")
    assert "Acknowledge" in said
    assert "deepfake-lightning rollback --env production" in said
    assert "No alert fires" in read(busy_copy, "alerts", env="staging")


def test_who_has_acknowledged_is_named_and_not_asked_again(read, busy_copy):
    _alert(busy_copy, acknowledged_by="ben", acknowledged_us=3, note="on it")
    said = read(busy_copy, "alerts")
    assert "Acknowledged by ben" in said
    assert "on it" in said
    assert "Acknowledge " not in said


def test_the_ways_keep_the_filters_and_count_what_waits(text):
    ways = navigation(View("traffic", period="6h", version="v1.0.0", feature="noise"), 2, 120)
    assert "2 firing" in text(ways)
    assert "99+ waiting" in text(ways)
    found = json.dumps(ways, default=lambda one: one.to_plotly_json())
    assert '"/drift?version=v1.0.0&period=6h"' in found


def test_a_review_shows_no_verdict_before_the_answer(read, busy):
    said = read(busy, "review")
    assert "Real or fake?" in said
    assert "It was not kept" in said
    assert "indicated" not in said
    assert "Who are you?" in read(busy, "review", who="")


def test_every_page_needs_its_icon():
    css = (Path(pages.__file__).parent.parent / "assets" / "look.css").read_text()
    assert all(f".icon-{page} " in css for page in PAGES)
