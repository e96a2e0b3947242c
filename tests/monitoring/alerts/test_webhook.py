"""Webhooks, to a real server on loopback."""

from __future__ import annotations

import hmac
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deepfake_lightning.errors import DeepfakeLightningError, StorageError
from deepfake_lightning.monitoring.alerts.channels import WebhookChannel
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent
from deepfake_lightning.monitoring.alerts.sending import send
from deepfake_lightning.monitoring.alerts.webhook import post

NOON = 1_700_049_600_000_000
ALERT = Alert("3f9c2a1b", "errors", "production/v1.0.0", "firing", "critical", NOON, NOON,
              says="1.43 % of the requests failed")  # fmt: skip
FIRED = AlertEvent("3f9c2a1b-firing", "firing", NOON, ALERT)


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets; ``answers`` are the codes to answer with, by path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got = []
        self.answers = {}
        self.free = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        if self.path == "/slow":
            self.server.free.wait(20)
        self.send_response(self.server.answers.get(self.path, 204))
        self.send_header("Location", f"{self.server.url}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # what a followed redirect would be

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.free.set()
        server.shutdown()
        thread.join()


def channel(receiver, path="/hook", **more):
    return WebhookChannel(name="hook", url=receiver.url + path, **more)


def test_a_message_is_signed_over_its_time_and_its_body(receiver, tmp_path, monkeypatch):
    monkeypatch.setenv("ALERTS_SECRET", "top")
    send(channel(receiver, secret_env="ALERTS_SECRET"), FIRED, tmp_path)
    ((path, headers, body),) = receiver.got
    assert path == "/hook" and headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "3f9c2a1b-firing"
    content = json.loads(body)
    assert content["text"].startswith("critical: errors of production/v1.0.0")
    assert content["alert"]["says"] == ALERT.says and content["kind"] == "firing"
    # As a receiver does it that knows nothing of this package.
    said = dict(part.split("=") for part in headers["X-Deepfake-Signature"].split(","))
    expected = hmac.new(b"top", said["t"].encode() + b"." + body, "sha256").hexdigest()
    assert said["v1"] == expected and abs(int(said["t"]) - time.time()) < 60


def test_a_secret_may_be_in_a_file_and_without_one_nothing_is_signed(receiver, tmp_path):
    (tmp_path / "secret").write_text("top\n")
    send(channel(receiver, secret_file=str(tmp_path / "secret")), FIRED, tmp_path)
    send(channel(receiver), FIRED, tmp_path)
    (_, signed, _), (_, plain, _) = receiver.got
    assert "X-Deepfake-Signature" in signed and "X-Deepfake-Signature" not in plain


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver, tmp_path, code):
    receiver.answers["/hook"] = code
    with pytest.raises(StorageError, match=f"answered {code}, and redirects are not followed"):
        send(channel(receiver), FIRED, tmp_path)
    assert [path for path, _, _ in receiver.got] == ["/hook"]


@pytest.mark.parametrize("code", [400, 401, 404, 429, 500, 503])
def test_what_is_refused_is_said(receiver, tmp_path, code):
    receiver.answers["/hook"] = code
    with pytest.raises(StorageError, match=f"it answered {code}"):
        send(channel(receiver), FIRED, tmp_path)


def test_who_does_not_answer_is_not_waited_for_long(receiver, tmp_path):
    began = time.monotonic()
    with pytest.raises(StorageError, match="did not answer in time"):
        send(channel(receiver, "/slow", timeout_seconds=0.2), FIRED, tmp_path)
    assert time.monotonic() - began < 5


def test_secrets_stand_in_no_message_and_no_log(receiver, tmp_path, monkeypatch, caplog):
    addresses = [receiver.url + "/hidden-token", "http://127.0.0.1:1/hidden-token",
                 "http://hidden-token.invalid/", "http://127.0.0.1:1/hidden token",
                 "ftp://hidden-token/"]  # fmt: skip
    monkeypatch.setenv("ALERTS_SECRET", "hidden-secret")
    receiver.answers["/hidden-token"] = 500
    chat = WebhookChannel(name="chat", url_env="CHAT", secret_env="ALERTS_SECRET")
    faults = []
    with caplog.at_level(logging.DEBUG):
        for address in addresses:
            monkeypatch.setenv("CHAT", address)
            with pytest.raises(StorageError) as caught:
                send(chat, FIRED, tmp_path)
            faults.append(str(caught.value))
    assert "hidden" not in "".join(faults) + caplog.text
    assert "Connection refused" in faults[1] and "holds no address" in faults[4]


def test_a_secret_that_is_not_there_is_said(receiver, monkeypatch):
    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    with pytest.raises(DeepfakeLightningError, match="NOT_SET_HERE is empty or not set"):
        post(channel(receiver, secret_env="NOT_SET_HERE"), "a", {})
    with pytest.raises(DeepfakeLightningError, match="cannot be read"):
        post(channel(receiver, secret_file="/nowhere/secret"), "a", {})
    assert receiver.got == []
