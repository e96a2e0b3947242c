"""``alerts rules``, ``alerts dashboard``."""

from __future__ import annotations

import json

import pytest
import yaml

from deepfake_lightning.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_rules_are_those_of_the_workspace(tmp_path, capsys):
    assert main(["alerts", "rules"]) == 0
    said = capsys.readouterr().out
    assert "# The policy: the defaults, as configs/alerts.yaml." in said
    assert {"errors", "no_traffic"} < {
        one.get("alert") for one in yaml.safe_load(said)["groups"][0]["rules"]
    }
    assert not (tmp_path / "mlops").exists()
    folder = tmp_path / "mlops" / "monitoring" / "alerts"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("rules: [{name: full, measure: disk, limit: 0.5}]")
    assert main(["alerts", "rules", "--out", "rules.yaml"]) == 0
    assert "next: promtool check rules rules.yaml" in capsys.readouterr().out
    (rule,) = yaml.safe_load((tmp_path / "rules.yaml").read_text())["groups"][0]["rules"]
    assert rule["alert"] == "full" and "> 0.5" in rule["expr"]


def test_dashboard(tmp_path, capsys):
    assert main(["alerts", "dashboard"]) == 0
    assert json.loads(capsys.readouterr().out)["uid"] == "deepfake-lightning"
    assert main(["alerts", "dashboard", "--out", "grafana.json"]) == 0
    assert json.loads((tmp_path / "grafana.json").read_text())["panels"]


@pytest.mark.parametrize("command", ["rules", "dashboard"])
def test_a_folder_is_no_file(command, tmp_path, capsys):
    assert main(["alerts", command, "--out", str(tmp_path)]) == 2
    assert "is no file" in capsys.readouterr().err
