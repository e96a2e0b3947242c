"""The dashboard shows what the server exports, and nothing else."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from deepfake_lightning.monitoring.alerts import AlertPolicy
from deepfake_lightning.serving.prometheus.dashboard import dashboard
from deepfake_lightning.serving.prometheus.rule_file import rule_file
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.metrics import Metrics
from deepfake_lightning.serving.telemetry.workspace_metrics import WorkspaceMetrics

METRIC = re.compile(r"\b(?:deepfake|process)_[a-z_]+")
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}


@pytest.fixture(scope="module")
def made():
    return json.loads(json.dumps(dashboard(), allow_nan=False))


@pytest.fixture(scope="module")
def exported():
    """Return the name of each series that a server exports, and the metric it is of."""
    families = [*Metrics().described(), *WorkspaceMetrics(Settings(Path("mlops"))).describe()]
    return {one.name + end: one.name for one in families for end in SUFFIXES.get(one.type, [""])}


def expressions(made):
    return [target["expr"] for panel in made["panels"] for target in panel.get("targets", [])]


def metrics_in(text):
    return set(METRIC.findall(text))


def test_what_it_asks_for_is_exported(made, exported):
    assert metrics_in(" ".join(expressions(made))) <= set(exported)
    assert metrics_in(made["templating"]["list"][1]["query"]) <= set(exported)


def test_what_is_exported_is_shown(made, exported):
    shown = {exported[name] for name in metrics_in(" ".join(expressions(made)))}
    assert {name for name in exported.values() if name.startswith("deepfake_")} <= shown


def test_what_the_rules_ask_for_is_exported(exported):
    (group,) = yaml.safe_load(rule_file(AlertPolicy()))["groups"]
    assert metrics_in(" ".join(one["expr"] for one in group["rules"])) <= {
        *exported, "deepfake_lightning",
    }  # fmt: skip


def test_every_panel_has_a_place_of_its_own(made):
    panels = made["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for a, b in combinations(places, 2):
        apart = (a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
                 or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"])  # fmt: skip
        assert apart, (a, b)


def test_prometheus_can_read_every_expression(made, promtool, tmp_path):
    rules = [
        {"record": f"expression:{number}", "expr": expr.replace("$__rate_interval", "1m")}
        for number, expr in enumerate(expressions(made))
    ]
    path = tmp_path / "expressions.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_the_example_configuration_is_one(promtool, tmp_path):
    root = Path(__file__).parents[3]
    text = (root / "configs/prometheus.yaml").read_text()
    (tmp_path / "prometheus.yaml").write_text(text)
    (tmp_path / "rules.yaml").write_text(rule_file(AlertPolicy()))
    (tmp_path / "prometheus.token").write_text("a")
    assert "SUCCESS" in promtool("check", "config", "prometheus.yaml", cwd=tmp_path)
