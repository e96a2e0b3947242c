"""A real Prometheus scrapes a real server, with its rules; minutes, as windows of rules take."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import yaml

from deepfake_lightning.cli import main
from deepfake_lightning.monitoring.alerts import AlertPolicy
from deepfake_lightning.monitoring.alerts.checking import settle
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.serving.prometheus.dashboard import dashboard
from deepfake_lightning.serving.prometheus.rules import rules_of
from deepfake_lightning.storage import Workspace, write_json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
]

TOKEN = "a-token-of-the-operator-for-this-test"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
RULES = [
    {"name": "errors", "measure": "error_rate", "limit": 0.01, "window_minutes": 1, "minimum": 5},
    {"name": "refusals", "measure": "refusal_rate", "limit": 0.05, "clear": 0.03,
     "window_minutes": 1, "minimum": 10},
    {"name": "image_latency", "measure": "latency_p95", "limit": 10_000, "media": "image",
     "window_minutes": 1, "minimum": 5},
    {"name": "no_traffic", "measure": "no_traffic", "limit": 1, "window_minutes": 1, "minimum": 5},
    {"name": "quality", "measure": "balanced_accuracy", "limit": 0.05},
    {"name": "drift", "measure": "drift"},
    {"name": "log_stalled", "measure": "log_stalled", "limit": 5},
    {"name": "disk", "measure": "disk", "limit": 0.0001},
]  # fmt: skip
LOOKED = re.compile(r"\b(?:deepfake|process)_[a-z_]+")


@pytest.fixture
def workspace(tmp_path, crop_bundle):
    """Return a workspace that serves v1.0.0 in production, with rules that are quick."""
    workspace = Workspace(tmp_path / "mlops")
    register_bundle(Registry(workspace), crop_bundle.folder, Wish("v1.0.0"))
    serving = [{"version": "v1.0.0", "share": 1.0}]
    write_json(workspace.environments / "production.json",
               {"schema": 1, "serving": serving, "shadow": []})  # fmt: skip
    folder = workspace.monitoring / "alerts"
    folder.mkdir(parents=True)
    (folder / "quick.yaml").write_text(yaml.safe_dump({"rules": RULES}))
    policy = AlertPolicy.model_validate({"rules": RULES})
    found = Measurement("quality", "production/v1.0.0", "broken", 0.2, 0.05, 200, "it is worse",
                        environment="production")  # fmt: skip
    settle(workspace, policy, Situation("production", (found,)), now_us=time.time_ns() // 1000)
    return workspace


class Prometheus:
    """One that runs."""

    def __init__(self, place, target, rules):
        (place / "token").write_text(TOKEN)
        job = {"job_name": "deepfake", "static_configs": [{"targets": [target]}],
               "authorization": {"credentials_file": "token"}}  # fmt: skip
        (place / "prometheus.yaml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)], "scrape_configs": [job],
        }))  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/api/v1"
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yaml", "--storage.tsdb.path=data",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], cwd=place,
        )  # fmt: skip

    def ask(self, path, **query):
        answer = httpx.get(f"{self.url}/{path}", params=query, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, expr):
        """Return the values of an expression; they stand for series that there are."""
        return [float(one["value"][1]) for one in self.ask("query", query=expr)["result"]]

    def alerts(self):
        return {(one["labels"]["alertname"], one["state"]) for one in self.ask("alerts")["alerts"]}

    def wait(self, check, seconds):
        end = time.monotonic() + seconds
        while True:
            try:
                if check():
                    return
            except (httpx.TransportError, ValueError):
                pass  # it begins, and says so in plain words
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.5)


@pytest.fixture
def watched(tmp_path, workspace, start_serve, monkeypatch):
    """Return a server of two processes, and the Prometheus that scrapes it."""
    monkeypatch.setenv("DEEPFAKE_TOKEN", TOKEN)
    rules = tmp_path / "rules.yaml"
    assert main(["alerts", "rules", "--out", str(rules), "--workspace", str(workspace.root)]) == 0
    flags = ("--env", "production", "--processes", 2, "--workers", 1, "--queue", 0)
    server = start_serve(workspace.root, *flags)
    prometheus = Prometheus(tmp_path, server.url.removeprefix("http://"), rules)
    try:
        yield server, prometheus
    finally:
        prometheus.process.terminate()
        prometheus.process.wait(30)


def ask(url, data, number, at_once):
    """Send pictures; return how many answers had which status."""

    def once(_):
        path = f"{url}/v1/predict?already_cropped=true"
        return httpx.post(path, content=data, headers=AUTH, timeout=60).status_code

    with ThreadPoolExecutor(at_once) as threads:
        return Counter(threads.map(once, range(number)))


def replace_one(server):
    """Kill one of two processes, and wait until another has taken its place."""
    victim, _ = server.children()
    os.kill(victim, signal.SIGKILL)
    end = time.monotonic() + 180
    while len(now := server.children()) < 2 or victim in now:
        assert time.monotonic() < end, server.all_processes()
        time.sleep(0.05)
    server.wait_until_up()


def test_rules_and_dashboard_live(watched, workspace, encode):
    server, prometheus = watched
    picture, sent = encode(), Counter()
    prometheus.wait(lambda: prometheus.value("up") == [1], 120)
    assert httpx.get(f"{server.url}/metrics").status_code == 401
    prometheus.wait(lambda: ("quality", "firing") in prometheus.alerts(), 60)
    prometheus.wait(lambda: ("disk", "firing") in prometheus.alerts(), 60)
    assert not prometheus.alerts() & {("refusals", "firing"), ("no_traffic", "firing")}
    clip = httpx.post(f"{server.url}/v1/predict", content=b"no picture", headers=AUTH)
    assert clip.status_code in (415, 422)
    sent[clip.status_code] += 1

    # More than it has places for.
    end = time.monotonic() + 120
    while ("refusals", "firing") not in prometheus.alerts():
        assert time.monotonic() < end
        sent += ask(server.url, picture, 40, 8)
    assert sent[200] and sent[503]

    replace_one(server)  # what a killed process has counted counts
    end = time.monotonic() + 120
    while ("refusals", "firing") in prometheus.alerts():
        assert time.monotonic() < end
        sent += ask(server.url, picture, 2, 1)
        time.sleep(0.5)
    time.sleep(3)  # of the last answers a scrape has to know
    for status, number in sent.items():
        total = f'sum(deepfake_predictions_total{{status="{status}"}})'
        if status != 503:  # a connection to the killed one may have been refused by the kernel
            assert prometheus.value(total) == [number], status
    assert prometheus.value("sum(resets(deepfake_predictions_total[10m]))") == [0]

    check_expressions(prometheus)

    # Silence, until somebody asks again.
    prometheus.wait(lambda: ("no_traffic", "firing") in prometheus.alerts(), 150)
    ask(server.url, picture, 30, 1)
    prometheus.wait(lambda: ("no_traffic", "firing") not in prometheus.alerts(), 90)
    assert server.stop() == (0, "")


def check_expressions(prometheus):
    """Ask for all that rules and dashboard ask for: it is there."""
    names = set(prometheus.ask("label/__name__/values"))
    policy = AlertPolicy.model_validate({"rules": RULES})
    for rule in rules_of(policy):
        for name, expr in rule.records.items():
            assert name in names, name
            assert set(LOOKED.findall(expr)) <= names
        assert set(LOOKED.findall(rule.expr)) - {"deepfake_lightning"} <= names, rule.name
    (group,) = prometheus.ask("rules")["groups"]
    assert {(one["name"], one["health"]) for one in group["rules"]} == {
        (one["name"], "ok") for one in group["rules"]
    }
    empty = []
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            if not prometheus.value(expr):
                empty.append((panel["title"], expr))
    assert not empty
