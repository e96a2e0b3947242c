"""The server's own log."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepfake_lightning.errors import StorageError
from deepfake_lightning.serving.access.tokens import TokenStore
from deepfake_lightning.serving.telemetry import json_logs
from deepfake_lightning.serving.telemetry.json_logs import REQUEST_ID, log_request, set_up_logs

OPERATOR = 'operator-"secret"-\\-0123456789'
SECRET = "sesame"  # stands in all that hostile requests carry


@pytest.fixture
def logs(tmp_path):
    """Return a function that sets up logs and one that reads the lines; all is put back."""
    names = ("", "deepfake_lightning", "uvicorn", "uvicorn.error", "uvicorn.access")
    levels = {name: logging.getLogger(name).level for name in names}
    set_up_logs(tmp_path / "logs", 3, secrets=[OPERATOR])
    yield lambda: [
        json.loads(line) for line in (tmp_path / "logs/server-3.jsonl").read_text().splitlines()
    ]
    logging.captureWarnings(False)
    for handler in json_logs._mine:
        logging.getLogger().removeHandler(handler)
        handler.close()
    json_logs._mine.clear()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_request_is_one_line(logs):
    log_request("ab12", route="/v1/predict", status=200, milliseconds=12.34567, size=345,
                caller="ada", version="v1.0.0", verdict="no_indication")  # fmt: skip
    (line,) = logs()
    at = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", at)
    assert abs(datetime.fromisoformat(at).timestamp() - datetime.now().timestamp()) < 60
    assert line == {
        "level": "info", "logger": "deepfake_lightning.serving.requests", "message": "request",
        "request_id": "ab12", "route": "/v1/predict", "status": 200, "ms": 12.346, "bytes": 345,
        "caller": "ada", "version": "v1.0.0", "verdict": "no_indication", "error": None,
    }  # fmt: skip


def test_faults_are_errors_and_carry_the_request_they_happened_in(logs):
    log_request("cd34", route="other", status=500, milliseconds=1, size=0, error="internal")
    token = REQUEST_ID.set("ef56")
    try:
        raise ZeroDivisionError("two\nlines")
    except ZeroDivisionError:
        logging.getLogger("deepfake_lightning.serving.app").exception("it failed")
    REQUEST_ID.reset(token)
    first, second = logs()
    assert (first["level"], first["error"]) == ("error", "internal")
    assert (second["request_id"], second["message"]) == ("ef56", "it failed")
    assert second["exc_info"].endswith("ZeroDivisionError: two\nlines")


def test_uvicorn_and_warnings_come_too_and_further_attributes_do_not(logs):
    import warnings

    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[1mStarted"})
    warnings.warn("look out", UserWarning, stacklevel=1)
    logging.getLogger("some.library").warning("hm", extra={"headers": {"cookie": SECRET}})
    first, second, third = logs()
    assert set(first) == {"time", "level", "logger", "message"}
    assert "look out" in second["message"]
    assert SECRET not in str(third)


def test_only_its_owner_reads_it_nor_what_was_full(logs, tmp_path, monkeypatch):
    monkeypatch.setattr(json_logs._mine[0], "maxBytes", 300)
    for _ in range(4):
        logging.getLogger("deepfake_lightning.x").error("x" * 100)
    files = list((tmp_path / "logs").iterdir())
    assert len(files) > 1
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_tokens_are_struck_out_wherever_they_stand(logs, tmp_path):
    token = TokenStore(tmp_path / "tokens.json").create("ada", ["predict"])[0]
    logger = logging.getLogger("deepfake_lightning.x")
    for text in (f"got {token}", f"Authorization: Bearer {SECRET}/x+y=", f"[{OPERATOR}]",
                 repr({"authorization": f"bearer {SECRET}"})):  # fmt: skip
        logger.error(text)
        try:
            raise ValueError(text)
        except ValueError:
            logger.exception("failed")
    log = (tmp_path / "logs/server-3.jsonl").read_text()
    assert token not in log and token[4:] not in log
    assert SECRET not in log
    assert "0123456789" not in log
    assert log.count("[token]") >= 8
    assert len(logs()) == 8


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text() | st.text(alphabet='\n\r\x00\x1b\x85\u2028\u2029"\\{}', min_size=1))
def test_no_text_makes_a_line_of_its_own(logs, text):
    before = len(logs())
    logging.getLogger("deepfake_lightning.x").warning("%s", text)
    lines = logs()
    assert len(lines) == before + 1
    assert lines[-1]["message"] == text or "[token]" in lines[-1]["message"]


def test_half_a_character_is_escaped():
    # Not through a logger: pytest's own record of it could not be sent between processes.
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "a\ud800b", None, None)
    line = json_logs.JsonLines().format(record)
    assert line.isascii()
    assert json.loads(line)["message"] == "a\ud800b"


def test_a_long_message_is_cut_and_keeps_its_end(logs):
    logging.getLogger("deepfake_lightning.x").error("a" * 1_000_000 + "end")
    (line,) = logs()
    assert len(line["message"]) < 10_000
    assert line["message"].endswith("end")


def test_files_are_bounded(tmp_path, logs, monkeypatch):
    monkeypatch.setattr(json_logs, "MAX_FILE_BYTES", 2_000)
    set_up_logs(tmp_path / "small", 1)
    for number in range(200):
        logging.getLogger("deepfake_lightning.x").info("line %d", number)
    files = list((tmp_path / "small").iterdir())
    assert len(files) == json_logs.FILES + 1
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert "line 199" in (tmp_path / "small/server-1.jsonl").read_text()
    assert logs() == []  # the place of before is let go


def test_lines_go_on_after_a_file_could_not_be_put_aside(tmp_path, logs, monkeypatch):
    def refuse(*_):
        monkeypatch.undo()  # once
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json_logs, "MAX_FILE_BYTES", 2_000)
    set_up_logs(tmp_path / "small", 1)
    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    for number in range(30):
        logging.getLogger("deepfake_lightning.x").info("line %d", number)
    assert "line 29" in (tmp_path / "small/server-1.jsonl").read_text()


def test_a_place_that_cannot_be_written_is_said(tmp_path, logs):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"server-0\.jsonl cannot be written"):
        set_up_logs(tmp_path / "file" / "logs", 0)


def test_stderr_is_a_place(logs, capfd):
    set_up_logs("-", 0)
    logging.getLogger("deepfake_lightning.x").info("hello")
    assert json.loads(capfd.readouterr().err)["message"] == "hello"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a real server's address, its logs' folder and a caller's token."""
    place = tmp_path_factory.mktemp("door")
    token = TokenStore(place / "tokens.json").create("ada", ["predict"])[0]
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / "door_app.py"), str(place / "logs"),
         str(place / "tokens.json")],
        env={**os.environ, "DEEPFAKE_TOKEN": OPERATOR}, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    host, _, port = process.stdout.readline().strip().removeprefix("http://").rpartition(":")
    try:
        yield (host, int(port)), place, token
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=30)
    assert SECRET not in complaints and token not in complaints


def send(address, data):
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
    return answer


hostile = st.text(st.characters(codec="latin-1"), max_size=60).map(
    lambda text: f"{text}{SECRET}".encode("latin-1")
) | st.binary(max_size=40).map(lambda data: data + SECRET.encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(names=st.lists(st.sampled_from([b"Authorization", b"Cookie", b"Host", b"X-Any", b"Origin",
                                       b"Content-Type", b"Content-Disposition"]), max_size=4),
       values=st.lists(hostile, min_size=4, max_size=4), query=hostile, body=hostile,
       path=st.sampled_from([b"/v1/predict", b"/boom", b"/v1/jobs/", b"/", b"/static/"]),
       keep=st.booleans())  # fmt: skip
def test_hostile_requests(server, names, values, query, body, path, keep):
    address, _, token = server
    lines = [b"%s: %s" % pair for pair in zip(names, values, strict=False)]
    if keep:  # a good token beside them
        lines.append(b"Authorization: Bearer " + token.encode())
        query = query.hex().encode()
    send(address, b"POST %s?%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%s\r\n\r\n%s"
         % (path, query, len(body), b"\r\n".join(lines), body))  # fmt: skip


def test_the_log_has_none_of_what_hostile_requests_carried(server):
    address, place, token = server
    ask = b"POST /v1/predict?name=%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n"
    form = b"Content-Type: x\r\nX-File: %s\r\nContent-Length: 9\r\n\r\n%s..."
    secret = SECRET.encode()
    assert b'"caller":"ada"' in send(
        address, ask % (secret, token.encode()) + form % (secret, secret)
    )
    boom = b"POST /boom HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n"
    assert b" 500 " in send(address, boom % token.encode())
    assert b" 500 " in send(address, boom % OPERATOR.encode())
    log = (place / "logs/server-0.jsonl").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"request"} < {line["message"] for line in lines}
    assert any(line.get("caller") == "ada" for line in lines)
    assert any("ZeroDivisionError" in line.get("exc_info", "") for line in lines)
    assert token not in log and token[4:] not in log
    assert "0123456789" not in log
    assert all(SECRET not in str(line) for line in lines if "exc_info" not in line)
    assert not stat.S_IMODE((place / "tokens.json").stat().st_mode) & 0o077
