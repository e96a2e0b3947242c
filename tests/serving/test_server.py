"""Where the server listens, whom it lets in, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from deepfake_lightning.cli.serve import serve as serve_command
from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.serving.server import check_address, listen, read_token, url_of

SCRIPT = Path(__file__).with_name("server_script.py")
TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_no_token(host):
    check_address(host, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.x"])
def test_any_other_address_needs_one(host):
    with pytest.raises(UsageError, match="DEEPFAKE_TOKEN"):
        check_address(host, False)
    check_address(host, True)


def test_the_token_comes_from_the_environment_or_a_file(monkeypatch, tmp_path):
    monkeypatch.delenv("DEEPFAKE_TOKEN", raising=False)
    assert read_token() is None
    monkeypatch.setenv("DEEPFAKE_TOKEN", TOKEN)
    assert read_token() == TOKEN
    (tmp_path / "token").write_text("another-token-of-mine\n", encoding="utf-8")
    assert read_token(tmp_path / "token") == "another-token-of-mine"


@pytest.mark.parametrize(
    "token", ["", "short-of-sixteen", "has a space in the middle", "ünïcödé" * 4]
)
def test_a_token_that_cannot_work_is_refused_and_not_repeated(monkeypatch, token):
    token = token[:15] if token.startswith("short") else token
    monkeypatch.setenv("DEEPFAKE_TOKEN", token)
    with pytest.raises(UsageError) as caught:
        read_token()
    assert not token or token not in str(caught.value)


def test_a_token_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(UsageError, match="nothing-here"):
        read_token(tmp_path / "nothing-here")


def test_port_0_picks_a_free_one_and_a_taken_one_is_named():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(UsageError, match=f"{port}.*in use") as caught:
            listen("127.0.0.1", port)
    assert "--port" in caught.value.next_step


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("203.0.113.1", 0), ("a..b", 0)])
def test_an_address_that_cannot_be_had(host, port):
    with pytest.raises(UsageError, match="cannot listen"):
        listen(host, port)


def test_the_command_wants_a_detector():
    with pytest.raises(UsageError, match="--bundle") as caught:
        serve_command()
    assert "--version" in caught.value.next_step


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_what_is_under_way(tmp_path, kind):
    log = tmp_path / "monitoring/predictions.db"
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        data = cv2.imencode(".png", np.full((20, 20, 3), 99, np.uint8))[1].tobytes()

        def slowly():
            yield data[:30]
            began.set()
            time.sleep(0.5)
            yield data[30:]

        began, answers = threading.Event(), []
        with httpx.Client(timeout=20) as client:
            assert client.get(f"{url}/healthz").status_code == 200
            post = lambda: answers.append(client.post(f"{url}/v1/predict", content=slowly()))  # noqa: E731
            thread = threading.Thread(target=post)
            thread.start()
            assert began.wait(10)
            time.sleep(0.1)  # the first part is on its way
            process.send_signal(kind)
            thread.join(20)
        out, err = process.communicate(timeout=20)
    assert answers[0].status_code == 200
    assert (process.returncode, out.strip(), err) == (0, "ended", "")
    with PredictionLog(log) as written:
        assert written.count() == 1
    assert not log.with_name("predictions.db-wal").exists()  # closed in good order
