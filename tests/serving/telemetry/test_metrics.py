"""What Prometheus reads."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deepfake_lightning.serving.telemetry.metrics import Measured, Metrics, Served
from deepfake_lightning.serving.telemetry.metrics_files import VARIABLE, mark_process_dead

V1 = ("version", "v1.0.0")
TABLE = [Served("v1.0.0", 0.9, "champion"), Served("v1.1.0", 0.1, "challenger")]


def families(metrics):
    body, kind = metrics.exposition()
    assert kind.startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def samples(metrics):
    """Return each sample by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families(metrics).values()
        for sample in family.samples
    }


def test_all_that_a_server_tells_is_read_back():
    metrics = Metrics()
    metrics.count_request("/v1/predict", 200, 0.2)
    metrics.count_request("/v1/jobs/abc", 404, 0.001)
    metrics.observe_stages({"decode": 12.0, "network": 30.0})
    metrics.observe_batch(4)
    metrics.count_verdict("v1.0.0", "champion", "no_indication")
    metrics.count_verdict("v1.0.0", "champion", None)
    metrics.count_rate_limited()
    metrics.count_rows_dropped(3)
    metrics.count_shadows_skipped(2)
    metrics.set_log_away(True)
    metrics.set_queue("decode", 2)
    metrics.set_jobs({"queued": 5, "running": 1})
    metrics.set_served("production", TABLE, refused=True)
    found = samples(metrics)
    request = "deepfake_request_seconds"
    assert found["deepfake_requests_total", ("route", "/v1/predict"), ("status", "200")] == 1
    assert found["deepfake_requests_total", ("route", "/v1/jobs/{id}"), ("status", "404")] == 1
    assert found[f"{request}_sum", ("route", "/v1/predict")] == 0.2
    assert found[f"{request}_bucket", ("le", "0.1"), ("route", "/v1/predict")] == 0
    assert found[f"{request}_bucket", ("le", "0.25"), ("route", "/v1/predict")] == 1
    assert found["deepfake_stage_seconds_sum", ("stage", "decode")] == 0.012
    assert found["deepfake_batch_size_bucket", ("le", "4.0")] == 1
    assert found[("deepfake_batch_size_bucket", ("le", "2.0"))] == 0
    of = (("variant", "champion"), ("verdict", "no_indication"), ("version", "v1.0.0"))
    assert found["deepfake_verdicts_total", *of] == 1
    assert found[("deepfake_rate_limited_total",)] == 1
    assert found[("deepfake_log_rows_dropped_total",)] == 3
    assert found[("deepfake_shadows_skipped_total",)] == 2
    assert found[("deepfake_log_away",)] == 1
    assert found["deepfake_queue_length", ("queue", "decode")] == 2
    assert found["deepfake_jobs", ("state", "queued")] == 5
    assert found[("deepfake_version_refused",)] == 1
    share = "deepfake_version_share_ratio"
    assert found[share, ("environment", "production"), *of[:1], *of[2:]] == 0.9
    assert found["process_resident_memory_bytes", ("pid", str(os.getpid()))] > 1e6
    assert not [name for name, *_ in found if name.endswith("_created")]


def test_predictions_are_counted_as_they_are_logged():
    metrics = Metrics()
    metrics.count_prediction("production", "v1.0.0", "image", 200, 0.5)
    metrics.count_prediction(None, "none", None, 503, 0.001)
    found = samples(metrics)
    where = (("environment", "production"), ("media", "image"))
    took = "deepfake_prediction_seconds_bucket"
    assert found["deepfake_predictions_total", *where, ("status", "200"), V1] == 1
    assert found[took, where[0], ("le", "0.5"), where[1], V1] == 1
    assert found[took, where[0], ("le", "0.4"), where[1], V1] == 0
    nowhere = (("environment", ""), ("media", "none"), ("status", "503"), ("version", "none"))
    assert found["deepfake_predictions_total", *nowhere] == 1


def test_counts_of_what_is_served_begin_at_nothing():
    metrics = Metrics()
    metrics.set_served("production", [*TABLE, Served("v2.0.0", 0, "shadow")], refused=False)
    found = samples(metrics)
    counts = {key: value for key, value in found.items() if key[0] == "deepfake_predictions_total"}
    assert set(counts.values()) == {0}
    seen = {tuple(dict(key[1:])[name] for name in ("version", "media", "status")) for key in counts}
    one = {("image", "200"), ("video", "200"), ("none", "500"), ("none", "503")}
    assert seen == {
        *((version, *rest) for version in ("v1.0.0", "v1.1.0") for rest in one),
        ("none", "none", "500"), ("none", "none", "503"),
    }  # fmt: skip
    metrics.count_prediction("production", "v1.0.0", "none", 500, 0.1)
    metrics.set_served("production", TABLE, refused=False)  # nothing is begun anew
    where = (("environment", "production"), ("media", "none"), ("status", "500"), V1)
    assert samples(metrics)["deepfake_predictions_total", *where] == 1


def test_what_is_no_longer_served_goes_to_nothing():
    metrics = Metrics()
    metrics.set_served("production", TABLE, refused=True)
    metrics.set_served("production", [Served("v1.1.0", 1.0, "champion")], refused=False)
    found = samples(metrics)
    place = ("environment", "production")
    was = (place, ("variant", "champion"), ("version", "v1.0.0"))
    now = (place, ("variant", "champion"), ("version", "v1.1.0"))
    assert [found[name, *was] for name in
            ("deepfake_version_info", "deepfake_version_share_ratio")] == [0, 0]  # fmt: skip
    assert found["deepfake_version_info", *now] == 1
    assert found["deepfake_version_share_ratio", *now] == 1
    assert found[("deepfake_version_refused",)] == 0


def test_names_follow_the_guide():
    metrics = Metrics()
    test_all_that_a_server_tells_is_read_back()
    metrics.count_request("/", 200, 0.1)
    for family in families(metrics).values():
        assert family.documentation
        assert family.name.startswith(("deepfake_", "process_"))
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)


def test_paths_that_callers_make_up_are_one_series():
    metrics = Metrics()
    for number in range(100):
        metrics.count_request(f"/{number}", 404, 0.001)
        metrics.count_request(f"/v1/jobs/{number}", 404, 0.001)
    counts = [key for key in samples(metrics) if key[0] == "deepfake_requests_total"]
    assert [dict(key[1:])["route"] for key in counts] == ["other", "/v1/jobs/{id}"]


@pytest.mark.parametrize(("fails", "status"), [(False, "204"), (True, "500")])
def test_the_middleware_counts_also_what_fails(fails, status):
    async def app(scope, receive, send):
        if fails:
            raise ZeroDivisionError
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def send(message):
        pass

    metrics = Metrics()
    run = Measured(app, metrics=metrics)({"type": "http", "path": "/healthz"}, None, send)
    if fails:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(run)
    else:
        asyncio.run(run)
    key = ("deepfake_requests_total", ("route", "/healthz"), ("status", status))
    assert samples(metrics)[key] == 1


SCRIPT = """
import multiprocessing, os, sys
from deepfake_lightning.serving.telemetry.metrics_files import VARIABLE

def work(count, told, may_end):
    from deepfake_lightning.serving.telemetry.metrics import Metrics, Served
    metrics = Metrics()
    for _ in range(count):
        metrics.count_request("/v1/predict", 200, 0.1)
    metrics.set_queue("places", count)
    metrics.set_jobs({"queued": 7})
    metrics.set_served("production", [Served("v1.0.0", 1.0, "champion")], refused=False)
    told.put(metrics.exposition()[0].decode())
    may_end.wait(30)

if __name__ == "__main__":
    os.environ[VARIABLE] = sys.argv[1]
    spawn = multiprocessing.get_context("spawn")
    told, may_end = spawn.Queue(), spawn.Event()
    first = spawn.Process(target=work, args=(2, told, may_end))
    first.start(); told.get(timeout=30)
    second = spawn.Process(target=work, args=(3, told, may_end))
    second.start(); print(told.get(timeout=30))
    may_end.set(); first.join(30); second.join(30)
    print("#", first.pid, second.pid)
"""


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """Return the folder and what the second of two processes told, and their ids."""
    place = tmp_path_factory.mktemp("metrics")
    (place / "run.py").write_text(SCRIPT)
    folder = place / "files"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(place / "run.py"), str(folder)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    body, _, pids = done.stdout.rpartition("# ")
    return folder, body, pids.split()


def read(body):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def test_processes_add_up(two_processes):
    _, body, pids = two_processes
    found = read(body)
    assert found["deepfake_requests_total", ("route", "/v1/predict"), ("status", "200")] == 5
    assert found["deepfake_request_seconds_count", ("route", "/v1/predict")] == 5
    assert found["deepfake_queue_length", ("queue", "places")] == 5
    assert found["deepfake_jobs", ("state", "queued")] == 7  # one queue, which all see
    served = (("environment", "production"), ("variant", "champion"), ("version", "v1.0.0"))
    assert found["deepfake_version_info", *served] == 1
    for pid in pids:
        assert found["process_resident_memory_bytes", ("pid", pid)] > 1e6
    assert not [key for key in found if ("pid", "1") in key]


def test_a_dead_process_leaves_its_counts_alone(two_processes):
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    folder, _, (first, _) = two_processes
    mark_process_dead(folder, int(first))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    found = read(generate_latest(registry).decode())
    assert found["deepfake_requests_total", ("route", "/v1/predict"), ("status", "200")] == 5
    assert found["deepfake_queue_length", ("queue", "places")] == 3


def test_a_folder_that_is_named_too_late_is_said(tmp_path: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(RuntimeError, match="after prometheus_client was imported"):
        Metrics()
