"""The retraining loop as schedulers start it: cron's line, systemd's units, Prefect's flow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli.retrain import retrain
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.storage import Workspace, lock

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
FLOW = ROOT / "scripts/orchestration/prefect_flow.py"


@pytest.fixture
def place(released: Any, tmp_path: Path) -> Path:
    """Return a folder with a workspace in production, as the examples have it."""
    workspace = tmp_path / "mlops"
    for name in ("registry", "runs"):
        shutil.copytree(released.workspace / name, workspace / name)
    environment = Environment(Workspace(workspace), "production")
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy", "the first"))
    (tmp_path / ".venv/bin").mkdir(parents=True)
    command = Path(sys.executable).with_name("deepfake-lightning")
    (tmp_path / ".venv/bin/deepfake-lightning").symlink_to(command)
    return tmp_path


def test_the_line_for_cron_runs_as_cron_runs_it(place):
    line = re.search(r"`7 \* \* \* \* (cd /srv/detector && .*?)`", retrain.__doc__ or "")
    assert line is not None
    command = line[1].replace("/srv/detector", str(place))
    bare = {"HOME": str(place), "LOGNAME": "detector", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", command], env=bare, cwd="/", capture_output=True,
                          check=False)  # fmt: skip
    log = (place / "retrain.log").read_text()
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b""), log
    assert "there is no cause to train it again" in log


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units(place):
    units = place / "units"
    units.mkdir()
    for name in ("retrain.service", "retrain.timer"):
        text = (ROOT / "configs" / name).read_text()
        (units / name).write_text(text.replace("/srv/detector", str(place))
                                  .replace("User=detector", "User=root"))  # fmt: skip
    done = subprocess.run(["systemd-analyze", "verify", *map(str, units.iterdir())],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


class Webhook:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.said.append(json.loads(self.rfile.read(length)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def flow(place):
    """Return a function that runs the flow once in Prefect's own environment, or skip."""
    python = os.environ.get("PREFECT_PYTHON")
    if python is None:
        pytest.skip("PREFECT_PYTHON names no Python that has Prefect")
    webhook = Webhook()

    def run(*more: str, command: str = "") -> tuple[int, str, list[dict[str, Any]]]:
        words = [python, str(FLOW), *(["--command", command] if command else []), *more]
        env = {**os.environ, "PREFECT_HOME": str(place / "prefect"), "RETRAIN_WEBHOOK": webhook.url,
               "PREFECT_LOGGING_LEVEL": "INFO"}  # fmt: skip
        done = subprocess.run(
            words, cwd=place, env=env, capture_output=True, text=True, check=False
        )
        said, webhook.said = webhook.said, []
        return done.returncode, done.stdout + done.stderr, said

    yield run
    webhook.server.shutdown()


def test_prefect_maps_what_the_command_comes_to(flow, place):
    code, said, told = flow()
    assert (code, told) == (3, []), said
    assert "Skipped: " in said and "Finished in state Skipped" in said

    failing = f"{place}/.venv/bin/deepfake-lightning retrain --env nowhere"
    code, said, told = flow(command=failing)
    assert code == 2, said
    assert "nothing serves in nowhere" in said
    assert [(one["flow"], one["state"]) for one in told] == [("retrain", "Failed")]

    with lock(place / "mlops/retraining/loop"):
        code, said, told = flow("--patience", "2", "--pause", "1")
    assert code == 75, said
    assert said.count("Retry") >= 2 or said.count("retry") >= 2
    assert [one["state"] for one in told] == ["Busy"]

    hold = ("import sys, time; from pathlib import Path\n"
            "from deepfake_lightning.storage import lock\n"
            "with lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(20)")  # fmt: skip
    other = subprocess.Popen([sys.executable, "-c", hold, str(place / "mlops/retraining/loop")],
                             stdout=subprocess.PIPE)  # fmt: skip
    assert other.stdout is not None
    other.stdout.readline()
    code, said, told = flow("--patience", "30", "--pause", "2")
    assert (code, told) == (3, []), said
    assert "another retraining is at work" in said
    assert other.wait(60) == 0
