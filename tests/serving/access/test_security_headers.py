"""What each answer tells a browser."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from deepfake_lightning.serving.access.guard import Guard
from deepfake_lightning.serving.access.security_headers import SecurityHeaders

door_app = runpy.run_path(str(Path(__file__).parents[1] / "door_app.py"))
Begin, echo, ask = (door_app[name] for name in ("Begin", "echo", "ask"))
APP = Begin(SecurityHeaders(Guard(echo, token="0123456789abcdef-test")))
BEARER = {"Authorization": "Bearer 0123456789abcdef-test"}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("/v1/predict", BEARER, 200), ("/v1/predict", {}, 401), ("/boom", BEARER, 500),
     ("/healthz", {}, 200)],
)  # fmt: skip
def test_all_answers_have_them(path, headers, status):
    answer = ask(APP, "GET", path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_what_the_page_says_itself_is_kept():
    answer = ask(APP, "GET", "/static/page.js")
    assert answer.headers["Cache-Control"] == "max-age=60"
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_a_fault_is_logged_with_its_id_and_not_shown(caplog):
    answer = ask(APP, "GET", "/boom", headers=BEARER)
    assert answer.json()["error"]["code"] == "internal"
    assert "ZeroDivision" not in answer.text
    assert answer.json()["request_id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_that_breaks_off_is_not_made_to_look_whole():
    async def breaks(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError("the disk went")

    with pytest.raises(OSError, match="the disk"):
        ask(Begin(SecurityHeaders(breaks)), "GET", "/")
