"""Ids, queries, JSON and forms that no client of good will sends."""

from __future__ import annotations

import json
import logging
import runpy
import time
from pathlib import Path

import pytest

_probing = runpy.run_path(str(Path(__file__).with_name("probing.py")))
check_refusal, post, talk, uploads_left = (
    _probing[name] for name in ("check_refusal", "post", "talk", "uploads_left")
)
JSON = {"Content-Type": "application/json"}
IDS = (
    "..", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/uploads", "%00", "a%00b", "%ff%fe", "%ED%A0%80",
    "%F0%9F%98%80", "a" * 10_000, "%0d%0aX-Evil:%201", "'%20OR%201=1--", "{id}", "%25s%25n", " ",
    "*", "0" * 31, "0" * 33, "G" * 32, "0" * 32, "0" * 32 + "%0a", "-1", "1e999", "null",
)  # fmt: skip
_KNOWN = "0" * 32
GOOD = {"request_id": _KNOWN, "label": "fake", "by": "desk"}


def refused(answer):
    """Assert the shape of a refusal; return its status and code."""
    return answer.status_code, check_refusal(answer.status_code, answer.headers, answer.json())


@pytest.mark.parametrize("name", IDS)
def test_ids_that_are_no_ids_are_not_found(server, name):
    for method, path in (("DELETE", "/v1/requests/{}"), ("GET", "/v1/jobs/{}"),
                         ("DELETE", "/v1/jobs/{}"), ("GET", "/v1/jobs/{}/overlay"),
                         ("GET", "/static/{}"), ("GET", "/v1/{}")):  # fmt: skip
        raw = (
            f"{method} {path.format(name.replace(' ', '%20'))} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        answer = talk(server.address, raw.encode("latin-1"))
        code = check_refusal(answer.status, answer.headers, answer.json())
        assert (answer.status, code) in {(404, "not_found"), (405, "method")}, (method, path)
        assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["//", "/%2e%2e/", "/static/..%2f..%2fapp.py", "/static/%2e%2e%2fapp.py", "/../../etc/passwd",
     "/static//etc/passwd", "/v1/../metrics", "/V1/predict", "/v1/predict%00", "/healthz;a=b",
     "http://[", "//[", "/%5b", "*", "/" + "a/" * 5000, "/%", "/%zz", "/\x7f"],
)  # fmt: skip
def test_odd_paths_are_not_found(server, path):
    raw = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1")
    answer = talk(server.address, raw)
    code = check_refusal(answer.status, answer.headers, answer.json())
    assert (answer.status, code) in {(404, "not_found"), (400, "malformed")}


@pytest.mark.parametrize("host", ["[", "[::1", "a b", "localhost:99999999", "é", "a" * 60_000])
def test_odd_hosts_with_a_token(serve, encode, host):
    token = "0123456789abcdef-test"
    server = serve(token=token)
    for path, status in (("/nothing", 404), ("/healthz", 200), ("/", 200), ("/docs", 200)):
        raw = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        assert talk(server.address, raw.encode("latin-1")).status == status, path


def test_a_method_that_does_not_exist(server):
    known = dict.fromkeys((b"TRACE", b"OPTIONS", b"PROPFIND"), "method")
    others = dict.fromkeys((b"BREW", b"A" * 50_000, b"PRI", b"get", b"CONNECT"), "malformed")
    for method, code in {**known, **others}.items():
        answer = talk(server.address, method + b" /v1/predict HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert check_refusal(answer.status, answer.headers, answer.json()) == code
        assert len(answer.body) < 1000


@pytest.mark.parametrize(
    "query",
    ["a&" * 20_000, "already_cropped=" + "1" * 20_000, "%00=%00", "already_cropped=%ED%A0%80",
     "%ED%A0%80=1", "overlay=1;overlay=0", "already_cropped[]=1", "=", "&&&&=&", "%",
     "overlay=NaN", "overlay=1e999", "overlay=true&overlay=true", "__proto__=1", "%F0%9F%98%80=1",
     "?" * 1000, "overlay=\x7f"],
)  # fmt: skip
def test_odd_queries_are_refused_in_time(server, encode, query):
    began = time.monotonic()
    answer = talk(server.address, post(f"/v1/predict?{query}", encode(200)))
    assert time.monotonic() - began < 5
    code = check_refusal(answer.status, answer.headers, answer.json())
    assert (answer.status, code) in {(400, "parameter"), (400, "malformed")}
    assert len(answer.body) < 5000


BODIES = {
    "nothing": b"",
    "nul": b"\0",
    "half": b'{"request_id": ',
    "deep list": b"[" * 30_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "number of 60,000 digits": b'{"request_id": ' + b"9" * 60_000 + b"}",
    "NaN": b'{"request_id": NaN, "label": Infinity, "by": -Infinity}',
    "1e99999": b'{"request_id": 1e99999, "label": "fake", "by": "a"}',
    "a list": json.dumps([GOOD]).encode(),
    "a text": b'"fake"',
    "null": b"null",
    "half a letter as a value": json.dumps({**GOOD, "by": "\ud800"}).encode(),
    "half a letter as a note": json.dumps({**GOOD, "note": "a\udfffb"}).encode(),
    "half a letter as a name": json.dumps({**GOOD, "\ud800": 1}).encode(),
    "nul as a value": json.dumps({**GOOD, "by": "a\0b"}).encode(),
    "nul as a note": json.dumps({**GOOD, "note": "\0"}).encode(),
    "unknown name": json.dumps({**GOOD, "source": "import"}).encode(),
    "3,000 names": json.dumps({**GOOD, **{str(n): n for n in range(3000)}}).encode(),
    "label as a number": json.dumps({**GOOD, "label": 1}).encode(),
    "label in capitals": json.dumps({**GOOD, "label": "FAKE"}).encode(),
    "label with a line": json.dumps({**GOOD, "label": "fake\n"}).encode(),
    "id with a line": json.dumps({**GOOD, "request_id": _KNOWN + "\n"}).encode(),
    "id as bytes": json.dumps({**GOOD, "request_id": list(range(32))}).encode(),
    "long by": json.dumps({**GOOD, "by": "a" * 101}).encode(),
    "long note": json.dumps({**GOOD, "note": "a" * 1001}).encode(),
    "latin-1": json.dumps({**GOOD, "by": "é"}, ensure_ascii=False).encode("latin-1"),
    "form": b"request_id=1&label=fake&by=a",
    "comments": b"/* a */ " + json.dumps(GOOD).encode(),
    "two objects": json.dumps(GOOD).encode() * 2,
}


@pytest.mark.parametrize("name", BODIES)
def test_feedback_that_cannot_be_read_is_refused(server, name, caplog):
    answer = server.client.post("/v1/feedback", content=BODIES[name], headers=JSON)
    status, _ = refused(answer)
    assert status == 400
    assert len(answer.content) < 1000
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("kind", ["utf-8-sig", "utf-16", "utf-32"])
def test_feedback_in_another_encoding_of_json_is_read_or_refused(server, encode, kind):
    request_id = server.client.post("/v1/predict", content=encode()).json()["request_id"]
    said = json.dumps({**GOOD, "request_id": request_id, "by": "Zoë"}, ensure_ascii=False)
    answer = server.client.post("/v1/feedback", content=said.encode(kind), headers=JSON)
    assert (answer.status_code == 201 and answer.json()["by"] == "Zoë") or refused(answer)[0] == 400


def test_feedback_with_a_name_twice_counts_the_latter_and_other_kinds_are_refused(server, encode):
    request_id = server.client.post("/v1/predict", content=encode()).json()["request_id"]
    said = json.dumps({**GOOD, "request_id": request_id})
    twice = said.replace('"label": "fake"', '"label": "real", "label": "fake"')
    assert server.client.post("/v1/feedback", content=twice, headers=JSON).json()["label"] == "fake"
    for kind in ("text/plain", "application/xml", "multipart/form-data", "nonsense",
                 "application/json; charset=x", "application/a+json", "/", ";;;"):  # fmt: skip
        answer = server.client.post("/v1/feedback", content=twice, headers={"Content-Type": kind})
        assert answer.status_code == 201 or refused(answer)[0] == 400


def _part(head: str, body: bytes = b"x") -> bytes:
    return b"--b\r\n" + head.encode("latin-1") + b"\r\n\r\n" + body + b"\r\n"


def test_forms_of_all_kinds_are_read_or_refused(server, encode):
    data, end = encode(200), b"--b--\r\n"
    name = 'Content-Disposition: form-data; name="file"; filename='
    good = {
        "path": _part(f'{name}"../../../etc/passwd"', data) + end,
        "nul": _part(f'{name}"a%00\\0.png"', data) + end,
        "extended": _part(
            "Content-Disposition: form-data; name=file; filename*=UTF-8''..%2f..%2fx", data
        )
        + end,
        "epilogue": _part(f'{name}"a"', data) + end + b"--b--" * 1000,
        "kind that is none": _part(f'{name}"a"\r\nContent-Type: text/html', data) + end,
    }
    bad = {
        "a field before the file": _part('Content-Disposition: form-data; name="a"')
        + _part(f'{name}"a"', data)
        + end,
        "a field behind the file": _part(f'{name}"a"', data)
        + _part('Content-Disposition: form-data; name="a\0\x1b[2J"')
        + end,
        "1,000 parts": _part('Content-Disposition: form-data; name="a"') * 1000 + end,
        "two files": _part(f'{name}"a"', data) * 2 + end,
        "no end": _part(f'{name}"a"', data),
        "cut in a head": b"--b\r\nContent-Dispo",
        "no part": end,
        "another boundary": _part(f'{name}"a"', data).replace(b"--b", b"--c"),
        "no head": b"--b\r\n\r\n" + data + b"\r\n" + end,
        "long head": _part("A: " + "a" * 100_000 + f'\r\n{name}"a"', data) + end,
        "many heads": _part("A: b\r\n" * 10_000 + f'{name}"a"', data) + end,
        "nul in a head": _part("A\0: b", data) + end,
        "nested": _part(
            "Content-Type: multipart/mixed; boundary=c", b"--c\r\n\r\n" + data + b"\r\n--c--"
        )
        + end,
        "boundary in the file": _part(f'{name}"a"', data[:20] + b"\r\n--b\r\n" + data[20:]) + end,
        "dashes": b"--b" * 20_000,
        "empty": b"",
    }
    kind = "multipart/form-data; boundary=b"
    for name, body in good.items():
        answer = server.client.post("/v1/predict", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["verdict"] == "manipulation_indicated"
    for name, body in bad.items():
        answer = server.client.post("/v1/predict", content=body, headers={"Content-Type": kind})
        assert refused(answer) in {(400, "form"), (415, "not_media"), (422, "unreadable")}, name
    boundaries = ("", "; boundary=", "; boundary=é", '; boundary="', "; boundary=" + "a" * 30_000,
                  "; boundary*=UTF-8''b", ";;;;", "; boundary*0=a; boundary*9999999=b")  # fmt: skip
    for boundary in boundaries:
        kind = f"Multipart/form-data{boundary}"
        headers = [(b"Content-Type", kind.encode("latin-1"))]
        answer = server.client.post("/v1/predict", content=good["path"], headers=headers)
        assert answer.status_code == 200 or refused(answer)[1] == "form", kind
    assert uploads_left(server.service.settings.workspace) == []
