"""``alerts ...``: what the commands print, and how they end."""

from __future__ import annotations

import json
import time

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.monitoring.alerts import AlertPolicy, read_alerts
from deepfake_lightning.monitoring.alerts.checking import settle
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation
from deepfake_lightning.storage import Workspace

MINUTE = 60_000_000


@pytest.fixture
def firing(tmp_path, monkeypatch):
    """Return a workspace in which errors of v1.0.0 fire since 20 minutes, told by none."""
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path / "mlops")
    says = "3.10 % of the last 2,000 requests failed"
    found = Measurement("errors", "production/v1.0.0", "broken", 0.031, 0.01, 2000, says,
                        "deepfake-lightning monitor", "production")  # fmt: skip
    rule = {"name": "errors", "measure": "error_rate", "limit": 0.01}
    hook = {"name": "hook", "kind": "webhook", "url": "http://127.0.0.1:1/x"}
    policy = AlertPolicy.model_validate({"rules": [rule], "channels": [hook]})
    at = time.time_ns() // 1000 - 20 * MINUTE
    settle(workspace, policy, Situation("production", (found,)), now_us=at)
    return workspace


def test_list_says_what_fires_what_was_not_delivered_and_what_to_do(firing, capsys):
    (alert,) = read_alerts(firing)
    assert main(["alerts", "list"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "1 firing, 0 pending"
    assert f"{alert.id}  firing    critical" not in said  # a warning, by this rule
    assert f"{alert.id}  firing    warning   errors  production/v1.0.0  20 min ago" in said
    assert "3.10 % of the last 2,000 requests failed" in said
    assert f"not delivered by hook: {alert.id}-firing: Connection refused (1 tries" in said
    assert "nobody looks at the moment" in said
    assert said.endswith(f"next: deepfake-lightning alerts acknowledge {alert.id}\n")


def test_list_as_json(firing, capsys):
    assert main(["alerts", "list", "--json", "true"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in record["alerts"]] == ["firing"]
    assert record["outbox"][0]["fault"] == "Connection refused"
    assert main(["alerts", "list", "--history", "1h", "--json", "true"]) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert event["kind"] == "firing" and event["alert"]["rule"] == "errors"


def test_history(firing, capsys):
    assert main(["alerts", "list", "--history", "24h"]) == 0
    assert "firing  errors  production/v1.0.0" in capsys.readouterr().out
    assert main(["alerts", "list", "--history", "10m"]) == 0
    assert capsys.readouterr().out == "nothing happened in that time\n"


def test_without_any(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["alerts", "list"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("no alerts in the last week\nnothing was judged yet\n")
    assert "monitor --check true" in said and not (tmp_path / "mlops").exists()


def test_acknowledge(firing, capsys):
    (alert,) = read_alerts(firing)
    flags = ["--by", "ann", "--note", "on it"]
    assert main(["alerts", "acknowledge", alert.id, *flags]) == 0
    assert "ann has it" in capsys.readouterr().out
    main(["alerts", "list"])
    assert "ann has it: on it" in capsys.readouterr().out
    assert main(["alerts", "acknowledge", "00000000x"]) == 2
    assert f"open are: {alert.id}" in capsys.readouterr().err


def test_silence(firing, capsys):
    assert main(["alerts", "silence", "errors", "--hours", "2"]) == 2
    assert "--reason is empty" in capsys.readouterr().err
    assert main(["alerts", "silence", "errors", "--hours", "2", "--reason", "planned"]) == 0
    assert "no messages of errors until" in capsys.readouterr().out
    main(["alerts", "list"])
    assert "silent until" in capsys.readouterr().out
    assert main(["alerts", "silence", "errors", "--hours", "0"]) == 0
    main(["alerts", "list"])
    assert "silent until" not in capsys.readouterr().out
    assert main(["alerts", "silence", "erors", "--reason", "x"]) == 2
    assert main(["alerts", "silence", "errors", "--hours", "-1", "--reason", "x"]) == 2


def test_test_says_which_channels_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mlops" / "monitoring" / "alerts"
    folder.mkdir(parents=True)
    (folder / "who.yaml").write_text("channels: [{name: file, kind: file}]")
    assert main(["alerts", "test"]) == 0
    assert "file (file): arrived" in capsys.readouterr().out
    assert "this is a test" in (folder / "messages.jsonl").read_text()
    hook = "{name: hook, kind: webhook, url: 'http://127.0.0.1:1/'}"
    (folder / "who.yaml").write_text(f"channels: [{{name: file, kind: file}}, {hook}]")
    assert main(["alerts", "test", "--json", "true"]) == 1
    channels = json.loads(capsys.readouterr().out)["channels"]
    assert [(one["name"], one["fault"]) for one in channels] == [
        ("file", None), ("hook", "Connection refused")
    ]  # fmt: skip
    (folder / "who.yaml").write_text("channels: [{name: file, kind: fle}]")
    assert main(["alerts", "test"]) == 2
    assert "who.yaml" in capsys.readouterr().err
