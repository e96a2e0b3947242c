"""``monitor`` as a user types it: once where there is no terminal, as a report, as an exit code."""

import json
import logging
import time
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from deepfake_lightning.__main__ import main
from deepfake_lightning.cli.monitor_bars import bar, columns, spark
from deepfake_lightning.cli.monitor_live import Heard
from deepfake_lightning.cli.monitor_reading import only_version, read_shown
from deepfake_lightning.cli.monitor_screen import screen
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.windows import Scope, parse_period, read_window
from deepfake_lightning.storage import Workspace


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Return a workspace in which 100 requests were answered in the last minutes, 5 in error."""
    workspace = Workspace(tmp_path_factory.mktemp("busy") / "mlops")
    now = time.time_ns() // 1000
    rows = []
    for place in range(100):
        score = place / 100
        said = "manipulation_indicated" if score > 0.6 else "no_indication"
        item = ItemScore(0, "ok", 0.0, score, True, 1, 1, "v1.0.0", "ab", verdict=said)
        row = LoggedRequest(
            f"{place:032x}", now - (100 - place) * 2_000_000, "v1.0.0", "ab", "/v1/predict", 200, 9,
            50_000, media_type="image", verdict=said, items=(item,), environment="production",
            variant="serving",
        )  # fmt: skip
        if place % 24 == 0:
            row = replace(row, http_status=500, items=(), verdict=None, error="\x1b[2Jbroken")
        rows.append(row)
    with PredictionLog(workspace.monitoring / "predictions.db") as log:
        log.append_many(rows, draw=lambda row: (0.5, "all") if row.items else None)
    return workspace


def shown(capsys, workspace, *args, code=0):
    capsys.readouterr()
    assert main(["monitor", "--workspace", str(workspace.root), *args]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_without_a_log_it_says_what_to_do_and_makes_none(tmp_path, capsys):
    workspace = Workspace(tmp_path / "mlops")
    text = shown(capsys, workspace)
    assert "no prediction log yet" in text
    assert "deepfake-lightning serve --env production" in text
    for args in (["--json", "true"], ["--report", str(tmp_path / "out")]):
        assert "there is no prediction log" in shown(capsys, workspace, *args, code=2)
    assert not workspace.monitoring.exists()


def test_a_snapshot_fits_80_columns(busy, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(capsys, busy)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert rows["all"][0] == "100"
    assert "5.0 %" in text
    assert "0 of 95" in text
    assert "inconclusive" in text
    assert "\x1b[2J" not in text and "?[2Jbroken" in text
    wide = "0" * 30 + "63"
    assert wide not in text
    monkeypatch.setenv("COLUMNS", "120")
    assert wide in shown(capsys, busy)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 50), (200, 12)])
def test_a_screen_is_filled_and_not_more(busy, width, height):
    with PredictionLog(busy.monitoring / "predictions.db") as log:
        make_rollups(log)
        found = read_shown(log, busy, "1h", Scope("production"), now_us=time.time_ns() // 1000)
    console = Console(width=width, height=height, file=StringIO())
    lines = console.render_lines(screen(found, width=width, height=height))
    assert len(lines) == height if height >= 24 else len(lines) < 24


def test_json_is_the_window(busy, capsys):
    record = json.loads(shown(capsys, busy, "--json", "true", "--period", "5m"))
    assert record["total"]["requests"] == 100
    assert record["total"]["error_rate"] == 0.05
    assert record["period"]["says"] == "last 5 minutes"
    assert record["by_version"][0]["version"] == "v1.0.0"
    assert record["audited"][0]["drawn"] == 95


def test_a_quiet_environment_is_told_from_a_busy_one(busy, capsys):
    text = shown(capsys, busy, "--env", "staging")
    assert "no requests: none ever came" in text
    assert "deepfake-lightning serve --env staging" in text


def test_a_report_is_written_and_not_written_over(busy, tmp_path, capsys):
    out = tmp_path / "out"
    text = shown(capsys, busy, "--report", str(out), "--period", "5m")
    assert "100 requests" in text and f"{out / 'monitoring.html'}" in text.replace("\n", "")
    assert "is there already" in shown(capsys, busy, "--report", str(out), code=2)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--period", "1w"], "24h"),
        (["--env", "prod"], "production, staging"),
        (["--report", ""], "--report is empty"),
        (["--report", "out", "--json", "true"], "two things"),
        (["--check", "true", "--period", "1h"], "leave --period"),
        (["--check", "true", "--set_baseline", "true"], "does nothing else"),
    ],
)
def test_wrong_use_is_refused_with_advice(busy, args, says, capsys):
    assert says in shown(capsys, busy, *args, code=2)


def test_check_judges_once_and_says_by_its_exit_code_whether_something_fires(busy, capsys):
    rules = busy.monitoring / "alerts"
    rules.mkdir(parents=True, exist_ok=True)
    text = shown(capsys, busy, "--check", "true")
    assert "production: 0 firing" in text
    strict = {"name": "errors", "measure": "error_rate", "limit": 0.001, "window_minutes": 60,
              "minimum": 50}  # fmt: skip
    (rules / "strict.yaml").write_text(json.dumps({"rules": [strict]}), "utf-8")
    shown(capsys, busy, "--check", "true", code=4)
    record = json.loads(shown(capsys, busy, "--check", "true", "--json", "true", code=4).strip())
    assert [one["rule"] for one in record["alerts"] if one["state"] == "firing"] == ["errors"]
    assert "firing for" in shown(capsys, busy)


def test_too_few_items_are_no_baseline(busy, capsys):
    assert "200" in shown(capsys, busy, "--set_baseline", "true", "--period", "1h", code=2)


def test_bars_are_exact_to_an_eighth():
    assert bar(0.5, 4) == "██  "
    assert bar(1 / 32, 4) == "▏   "
    assert columns([0, 1, 8, 16], 2) == ["   █", " ▁██"]
    assert spark([0, 1, 2, 3, 4, 5, 6, 7], 4) == "▁▃▆█"
    assert spark([], 4) == ""


def test_check_is_not_green_where_there_is_no_log(tmp_path, capsys):
    workspace = Workspace(tmp_path / "mlops")
    text = shown(capsys, workspace, "--check", "true", "--log", str(tmp_path / "typo.db"), code=1)
    assert "there is no prediction log" in text and "pass --log" in text
    assert not (tmp_path / "typo.db").exists()
    record = json.loads(shown(capsys, workspace, "--check", "true", "--json", "true", code=1))
    assert "there is no prediction log" in record["drift_fault"]


def test_check_is_not_green_where_what_serves_is_not_known(tmp_path, capsys):
    workspace = Workspace(tmp_path / "mlops")
    PredictionLog(workspace.monitoring / "predictions.db").close()
    assert "firing" in shown(capsys, workspace, "--check", "true")
    workspace.environments.mkdir(parents=True)
    (workspace.environments / "production.json").write_text('{"schema": 1, "serving": ["v1.0.0"]}')
    assert "what serves is not known" in shown(capsys, workspace, "--check", "true", code=1)
    record = json.loads(shown(capsys, workspace, "--check", "true", "--json", "true", code=1))
    assert "production.json" in record["environment_fault"]


def test_a_refusal_that_no_version_answered_is_no_version_of_a_baseline(busy, tmp_path, capsys):
    now = time.time_ns() // 1000
    refused = LoggedRequest(
        "f" * 32, now - 1_000_000, "none", "", "/v1/predict", 503, 9, 100, error="no place",
        environment="production", variant="serving",
    )  # fmt: skip
    with PredictionLog(busy.monitoring / "predictions.db") as log:
        log.append_many([refused])
        make_rollups(log)
        period = parse_period("1h", now_us=time.time_ns() // 1000)
        window = read_window(log, period, Scope("production"))
        assert window.by_version["", "serving"].requests == 1
        assert only_version(log, period, Scope("production")) == "v1.0.0"


def test_messages_of_alerts_are_shown_as_such_and_faults_go_after_two_rounds(busy):
    now = [0.0]
    with Heard(lambda: now[0]) as heard:
        logging.getLogger("deepfake_lightning.alerts").error("critical: errors of production")
        assert heard.fault is None and heard.told.endswith("UTC: critical: errors of production")
        logging.getLogger("deepfake_lightning.monitoring").warning("well")
        logging.getLogger("deepfake_lightning.monitoring").error("the disk is full")
        now[0] = 119.0
        assert heard.fault == "the disk is full"
        now[0] = 121.0
        assert heard.fault is None
    with PredictionLog(busy.monitoring / "predictions.db") as log:
        found = read_shown(log, busy, "1h", Scope("production"), now_us=time.time_ns() // 1000)
    console = Console(width=120, file=StringIO())
    console.print(screen(found, width=120, height=40, told=heard.told))
    assert "UTC: critical: errors of production" in console.file.getvalue()
