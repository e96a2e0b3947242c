"""The server's app in replicas of Ray Serve answers as the server does."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from deepfake_lightning.cli.serve import serve
from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.serving.on_ray import _told_to_end

PREDICT = "/v1/predict?already_cropped=true"
TOKEN = "0123456789abcdef"
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        ({"ray_address": "10.0.0.1:6379"}, "this machine alone serves"),
        ({"backend": "ray", "device": "cuda"}, "serves on CPUs"),
        ({"backend": "ray", "ray_address": "10.0.0.1:6379"}, "SQLite"),
        ({"backend": "ray", "ray_address": "10.0.0.1:6379", "keep_media": "review",
          "log": "postgresql://db/log"}, "keep_media"),
        ({"backend": "ray", "host": "0.0.0.0"}, "no token"),
        ({"backend": "ray", "ray_address": "10.0.0.1:6379", "port": 0,
          "log": "postgresql://db/log"}, "the proxy is on the cluster's head"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together(flags, fault, tmp_path, monkeypatch):
    monkeypatch.delenv("DEEPFAKE_TOKEN", raising=False)
    monkeypatch.delenv("DEEPFAKE_LOG", raising=False)
    with pytest.raises(UsageError, match=fault):
        serve(bundle=str(tmp_path), workspace=str(tmp_path), **flags)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_ended_while_it_starts_and_afterwards(number):
    before = signal.getsignal(number)
    with _told_to_end():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            time.sleep(5)
        os.kill(os.getpid(), number)  # while what had started is taken down
        time.sleep(0.1)
    with _told_to_end() as end:
        end.is_starting = False
        os.kill(os.getpid(), number)
        assert end.told.wait(5)
    assert signal.getsignal(number) is before


@pytest.fixture(scope="module")
def data(encode):
    return encode()


def replicas(server):
    """Return the replicas' processes, by their titles."""
    return [pid for pid, line in server.all_processes().items()
            if line.startswith("ray::ServeReplica")]  # fmt: skip


def comparable(answer):
    """Return what does not change from request to request."""
    record = answer.json()
    for name in ("request_id", "milliseconds"):
        record.pop(name, None)
    return answer.status_code, record


ASKED = {
    "a picture": ("POST", PREDICT, {"content": True}),
    "no picture": ("POST", PREDICT, {"content": b"GIF89a"}),
    "nothing": ("POST", PREDICT, {"content": b""}),
    "too much": ("POST", PREDICT, {"content": b"\xff\xd8\xff" * 23_000_000}),
    "a wrong parameter": ("POST", "/v1/predict?already_cropped=perhaps", {"content": True}),
    "another name": ("GET", "/readyz", {"headers": {"Host": "evil.example"}}),
    "no path": ("GET", "/nowhere", {}),
    "up": ("GET", "/healthz", {}),
    "ready": ("GET", "/readyz", {}),
}


def ask(server, method, path, data, **more):
    if more.get("content") is True:
        more["content"] = data
    return httpx.request(method, server.url + path, timeout=60, **more)


@pytest.mark.slow
@needs_ray
def test_it_answers_as_the_server_and_survives_a_killed_replica(
    tmp_path, crop_bundle, start_serve, data, traffic
):
    flags = ("--bundle", crop_bundle.folder, "--workers", 1, "--processes", 2)
    local = start_serve(tmp_path / "local", *flags)
    expected = {name: comparable(ask(local, *how[:2], data, **how[2]))
                for name, how in ASKED.items()}  # fmt: skip
    assert expected["a picture"][0] == 200 and expected["too much"][0] == 413
    assert local.stop() == (0, "")

    server = start_serve(tmp_path / "ray", *flags, "--backend", "ray")
    for name, how in ASKED.items():
        assert comparable(ask(server, *how[:2], data, **how[2])) == expected[name], name
    two = replicas(server)
    assert len(two) == 2

    sent = traffic(server.url, data, threads=2, pause=0.05)
    time.sleep(2)
    os.kill(two[0], signal.SIGKILL)
    end = time.monotonic() + 90
    while len(now := replicas(server)) < 2 or two[0] in now:
        assert time.monotonic() < end, "it is not replaced"
        time.sleep(0.5)
    time.sleep(5)
    sent.stop()
    late = [status for at, status, _ in sent.answers if at > sent.answers[-1][0] - 3]
    assert set(late) == {200}
    failed = [status for _, status, _ in sent.answers if status != 200]
    assert len(failed) + sent.lost <= 2, failed  # what that replica was at
    assert server.stop() == (0, "")
    server.seconds_until_gone()


@pytest.mark.slow
@needs_ray
def test_tokens_rates_logs_and_metrics_carry_over(tmp_path, crop_bundle, start_serve, data,
                                                  monkeypatch):  # fmt: skip
    monkeypatch.setenv("DEEPFAKE_TOKEN", TOKEN)
    flags = ("--bundle", crop_bundle.folder, "--workers", 1, "--processes", 2, "--backend", "ray")
    server = start_serve(tmp_path, *flags)
    assert ask(server, "POST", PREDICT, data, content=True).status_code == 401
    key = {"Authorization": f"Bearer {TOKEN}"}
    ids = {ask(server, "POST", PREDICT, data, content=True, headers=key).headers["X-Request-Id"]
           for _ in range(10)}  # fmt: skip
    counted = ask(server, "GET", "/metrics", data, headers=key).text
    of_predict = [line for line in counted.splitlines()
                  if line.startswith("deepfake_requests_total") and "/v1/predict" in line
                  and '"200"' in line]  # fmt: skip
    assert sum(float(line.rpartition(" ")[2]) for line in of_predict) == 10, of_predict
    assert server.stop() == (0, "")
    said = "".join(path.read_text() for path in (tmp_path / "monitoring/logs").glob("*.jsonl"))
    assert all(one in said for one in ids), ids
    assert TOKEN not in said


@pytest.mark.slow
@needs_ray
def test_a_killed_server_takes_its_ray_along(tmp_path, crop_bundle, start_serve):
    server = start_serve(tmp_path, "--bundle", crop_bundle.folder, "--workers", 1, "--backend",
                         "ray")  # fmt: skip
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    until(lambda: all("Agent" in line for line in server.all_processes().values()), 20)
    server.seconds_until_gone(at_most=90)  # Ray's agents try to reach its head for 60 s


def own_address() -> str:
    """Return where Ray listens: it takes no address of loopback for a cluster's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))  # nothing is sent
        return str(asked.getsockname()[0])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def head(monkeypatch):
    """Return the address of a cluster that runs already."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN * 4)
    port = free_port()
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # paths of sockets are short
    monkeypatch.setenv("TMPDIR", folder)  # of its replicas, too
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--port", str(port),
               "--num-cpus", "2", "--include-dashboard", "false", "--disable-usage-stats",
               "--temp-dir", folder, "--block"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while not Path(folder, "session_latest/sockets/raylet").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.2)
        time.sleep(5)
        yield f"{own_address()}:{port}"
        process.terminate()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@needs_ray
def test_on_a_cluster_there_are_no_jobs_and_no_metrics(
    head, postgresql, tmp_path, crop_bundle, start_serve, data
):
    place = postgresql.database()
    server = start_serve(tmp_path, "--bundle", crop_bundle.folder, "--processes", 2, "--backend",
                         "ray", "--ray_address", head, "--log", place, "--port",
                         free_port())  # fmt: skip
    answers = [ask(server, "POST", PREDICT, data, content=True) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    for method, path in (("POST", "/v1/jobs"), ("GET", "/metrics")):
        refused = ask(server, method, path, data, content=True if method == "POST" else None)
        expected = (503, "no_jobs") if method == "POST" else (501, "metrics")
        assert (refused.status_code, refused.json()["error"]["code"]) == expected
    temporary = Path(os.environ["TMPDIR"])
    assert len(list(temporary.glob("deepfake-uploads-*"))) == 2  # a replica's own each
    assert server.stop() == (0, "")
    assert not list(temporary.glob("deepfake-uploads-*"))
    with PredictionLog(place) as log:
        assert all(log.find(answer.headers["X-Request-Id"]) for answer in answers)
    assert not (tmp_path / "serving/jobs").exists()
    again = start_serve(tmp_path, "--bundle", crop_bundle.folder, "--backend", "ray",
                        "--ray_address", head, "--log", place, "--port",
                        free_port())  # fmt: skip
    assert ask(again, "GET", "/healthz", data).status_code == 200
    assert again.stop() == (0, "")


def serve_there(head, workspace, bundle, place) -> list[str]:
    """Return the command for a cluster that runs already."""
    return [sys.executable, "-m", "deepfake_lightning", "serve", "--bundle", str(bundle.folder),
            "--workspace", str(workspace), "--port", str(free_port()), "--backend", "ray",
            "--ray_address", head, "--log", place]  # fmt: skip


def of_serve() -> list[str]:
    """Return titles of Ray Serve's processes."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(place.read_text())
    return [line for line in found if line.startswith("ray::Serve")]


def until(true, seconds) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)


@pytest.mark.slow
@needs_ray
def test_a_start_that_waits_for_cores_can_be_ended(head, postgresql, tmp_path, crop_bundle):
    command = serve_there(head, tmp_path, crop_bundle, postgresql.database())
    with subprocess.Popen([*command, "--processes", "3"], stderr=subprocess.PIPE) as process:
        until(lambda: sum("ServeReplica" in line for line in of_serve()) == 2, 120)  # has 2 cores
        time.sleep(3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 130, process.stderr.read()
    until(lambda: not of_serve(), 30)


@pytest.mark.slow
@needs_ray
def test_a_cluster_whose_serve_runs_already_is_refused(head, postgresql, tmp_path, crop_bundle):
    """Its proxy would listen where it does now, whatever --host says."""
    start = [sys.executable, "-m", "ray.serve.scripts", "start", "--address", head, "--http-port",
             str(free_port())]  # fmt: skip
    subprocess.run(start, check=True, capture_output=True, timeout=120)
    command = serve_there(head, tmp_path, crop_bundle, postgresql.database())
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "serves already" in ended.stderr and "serve shutdown" in ended.stderr
