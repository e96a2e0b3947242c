"""Requests that are no HTTP, lie about their length, never end, or come very slowly."""

from __future__ import annotations

import logging
import runpy
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import Response

from deepfake_lightning.serving.access import connections, limits

_probing = runpy.run_path(str(Path(__file__).with_name("probing.py")))
check_refusal, post, read_answer, talk, wait_until = (
    _probing[name] for name in ("check_refusal", "post", "read_answer", "talk", "wait_until")
)
PREDICT = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = PREDICT + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "two lengths": PREDICT + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "two lengths in one": PREDICT + b"Content-Length: 3, 4\r\n\r\nabc",
    "the same length twice": PREDICT + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a length and chunks": CHUNKED[:-2] + b"Content-Length: 8\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "negative length": PREDICT + b"Content-Length: -3\r\n\r\nabc",
    "signed length": PREDICT + b"Content-Length: +3\r\n\r\nabc",
    "length in hexadecimal": PREDICT + b"Content-Length: 0x3\r\n\r\nabc",
    "length of 5000 digits": PREDICT + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "unknown coding": PREDICT + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunked is not last": PREDICT + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "chunked twice": PREDICT + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "nul in a value": PREDICT + b"X: a\0b\r\n\r\n",
    "control sign in a host": b"GET /healthz HTTP/1.1\r\nHost: \x01\r\n\r\n",
    "nul in a name": PREDICT + b"X\0: a\r\n\r\n",
    "nul in the path": b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "space before the colon": PREDICT + b"Content-Length : 3\r\n\r\nabc",
    "a target with another host": b"GET http://evil/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no colon": PREDICT + b"nothing\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
    "a folded value": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "begins with a fold": b"GET /healthz HTTP/1.1\r\n folded: a\r\n\r\n",
    "bare return": PREDICT + b"A: b\rContent-Length: 3\r\n\r\nabc",
    "version 0.9": b"GET /\r\n\r\n",
    "letters in the path": "GET /é HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "a long line": b"GET /" + b"a" * 300_000,
    "100 kB of headers": PREDICT + b"X: " + b"a" * 70_000 + b"\r\nY: " + b"a" * 30_000,
    "negative chunk": CHUNKED + b"-1\r\na\r\n0\r\n\r\n",
    "prefixed chunk": CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
    "chunk without digits": CHUNKED + b"\r\na\r\n0\r\n\r\n",
    "chunk longer than said": CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
    "chunk of 5000 digits": CHUNKED + b"f" * 5000 + b"\r\n",
    "endless extension": CHUNKED + b"1;" + b"a" * 200_000,
    "endless trailer": CHUNKED + b"0\r\n" + b"A: b\r\n" * 30_000,
    "many tiny chunks": CHUNKED + b"1\r\na\r\n" * 5000,
}  # fmt: skip


def _rest(client: socket.socket) -> bytes:
    """Return what comes until the server hangs up; it may do so before it has read all."""
    try:
        return client.recv(1000)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_http_gets_the_shape_of_all_refusals(server, caplog, name):
    caplog.set_level(logging.INFO)
    answer = talk(server.address, MALFORMED[name])
    assert answer.status == 400, answer
    assert check_refusal(answer.status, answer.headers, answer.json()) == "malformed"
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["request_id"] in [each.fields["request_id"] for each in caplog.records
                                           if hasattr(each, "fields")]  # fmt: skip
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert server.client.get("/healthz").status_code == 200


def test_random_bytes_before_within_and_after_a_request(server, encode, caplog):
    generator = np.random.default_rng(3)
    whole = post("/v1/predict", encode(200))
    for number in range(150):
        data = bytearray(whole)
        place = int(generator.integers(120 if number % 3 else len(data)))
        data[place : place + number % 4] = generator.bytes(int(generator.integers(1, 40)))
        answer = talk(server.address, bytes(data), close=True)
        if answer.status not in (0, 200):  # 0: a client that has gone is not answered
            check_refusal(answer.status, answer.headers, answer.json())
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert server.client.post("/v1/predict", content=encode(200)).status_code == 200


def test_odd_requests_that_http_allows_are_answered(server, encode):
    data = encode(200)
    pieces = b"".join(b"1;a=b\r\n%c\r\n" % each for each in data)
    odd = {
        "chunks of a byte": CHUNKED + pieces + b"0;last\r\nDigest: a\r\n\r\n",
        "10,000 headers": post("/v1/predict", data, *["A:b"] * 10_000),
        "version 1.0": post("/v1/predict", data).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        "upgrade": post("/v1/predict", data, "Connection: Upgrade", "Upgrade: websocket"),
    }
    for name, sent in odd.items():
        answer = talk(server.address, sent)
        assert (answer.status, answer.json()["verdict"]) == (200, "manipulation_indicated"), name


def test_what_follows_a_body_of_two_lengths_is_not_taken_for_a_request(server):
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(MALFORMED["a length and chunks"] + smuggled)
        answer = read_answer(client)
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert _rest(client) == b""


def test_trailers_are_no_headers(server, encode):
    data = encode(200)
    chunk = b"%x\r\n%s\r\n" % (len(data), data)
    trailers = b"0\r\nX-Forwarded-For: 1.2.3.4\r\nHost: evil\r\n\r\n"
    next_one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(CHUNKED + chunk)
        time.sleep(0.1)  # the app has the head
        client.sendall(trailers + next_one)
        assert [read_answer(client).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("piece", [40, 1 << 20])
def test_a_wish_for_another_protocol_is_not_granted(server, encode, piece):
    wish = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    sent = post("/v1/predict", encode(200), *wish)  # Java asks with each request
    with socket.create_connection(server.address, timeout=10) as client:
        for _ in range(2):
            for at in range(0, len(sent), piece):
                client.sendall(sent[at : at + piece])
            assert read_answer(client).json()["verdict"] == "manipulation_indicated"
        client.sendall(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n")
        assert read_answer(client).status == 400


BROKEN = CHUNKED + b"3\r\nabc!\r\n"


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("pause", [0, 0.05])
def test_a_broken_body_is_refused_after_what_was_asked_before_it(server, encode, before, pause):
    whole = post("/v1/predict", encode(200))
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(whole * before + BROKEN[:-4])
        time.sleep(pause)  # it is under way, or waits for the first
        client.sendall(BROKEN[-4:] + whole)
        assert [read_answer(client).status for _ in range(before)] == [200] * before
        assert read_answer(client).status == 400
        assert _rest(client) == b""


def test_a_slow_answer_comes_before_the_refusal_of_what_follows(serve, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    server = serve()
    server.app.add_api_route("/slow", lambda: time.sleep(0.8))  # in a thread
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n" + BROKEN)
        assert [read_answer(client).status for _ in range(2)] == [200, 400]
        assert _rest(client) == b""


def test_a_client_that_asks_without_end_is_refused(server):
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for number, answered in ((60, 60), (5000, 65)):
        with socket.create_connection(server.address, timeout=10) as client:
            client.sendall(one * number)
            assert [read_answer(client).status for _ in range(answered)] == [200] * answered
            if number > answered:
                assert read_answer(client).status == 400
                assert _rest(client) == b""


def test_blanks_after_a_value_are_no_part_of_it(server, encode):
    data = encode(200)
    head = "POST /v1/predict HTTP/1.1\r\nHost: localhost \r\nExpect: 100-continue\t\r\n"
    head += "Origin: http://localhost \r\nTransfer-Encoding: chunked \r\n\r\n"
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(head.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
        assert read_answer(client).status == 200


def test_a_wish_to_close_is_kept_beside_one_for_another_protocol(server):
    sent = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade\r\n"
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(sent + b"Upgrade: h2c\r\n\r\n")
        answer = read_answer(client)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert _rest(client) == b""


def test_the_app_is_told_that_a_client_has_gone_though_it_had_asked_for_more(serve):
    told = threading.Event()
    server = serve()

    async def wait(request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        told.set()

    server.app.add_route("/wait", wait)
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        time.sleep(0.2)
    assert told.wait(5)


def test_a_broken_body_that_has_its_answer_gets_no_other(server):
    sent = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(sent)
        assert read_answer(client).status == 404
        client.sendall(b"c!\r\n")
        assert _rest(client) == b""


def test_requests_in_one_piece_are_answered_in_order(server, encode):
    requests = [post("/v1/predict", encode(value)) for value in (100, 150, 200)]
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"".join(requests) + b"nonsense\r\n\r\n")
        found = [read_answer(client).json()["logit"] for _ in requests]
        assert found == pytest.approx([value / 64 - 2 for value in (100, 150, 200)], abs=0.05)
        assert read_answer(client).status == 400


@pytest.mark.parametrize("sent", [b"POST /v1/pre", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(server, monkeypatch, sent):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    with socket.create_connection(server.address, timeout=10) as client:
        began = time.monotonic()
        for byte in sent:  # each byte comes in time
            try:
                client.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.03)
        answer = read_answer(client)
    assert check_refusal(answer.status, answer.headers, answer.json()) == "slow"
    assert 0.3 < time.monotonic() - began < 5


def test_the_second_head_of_a_connection_has_to_come_as_well(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(client).status == 200
        time.sleep(0.6)  # idle is not slow
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he")
        assert read_answer(client).status == 200
        assert read_answer(client).status == 408


def test_a_connection_on_which_nothing_is_asked_is_closed(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with socket.create_connection(server.address, timeout=10) as client:
        assert client.recv(100) == b""


def test_an_answer_that_is_not_read_is_not_kept(serve, monkeypatch):
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)
    server = serve()
    server.app.add_api_route("/large", lambda: Response(bytes(16 << 20)))
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.5)
        assert len(read_answer(client).body) < 16 << 20  # what the kernel had of it
    monkeypatch.setattr(connections, "READ_SECONDS", 2)
    with socket.create_connection(server.address, timeout=10) as client:  # one that reads
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert len(read_answer(client).body) == 16 << 20
        time.sleep(2.5)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(client).status == 200


def test_a_form_that_does_not_come_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(limits, "FORM_SECONDS", 0.3)
    sent = post("/v1/feedback", b"{", "Content-Type: application/json")
    answer = talk(server.address, sent.replace(b"Length: 1", b"Length: 20"))
    assert check_refusal(answer.status, answer.headers, answer.json()) == "slow"


def test_a_form_that_is_too_large(server):
    for more in ({"content": b" " * 70_000}, {"content": iter([b" " * 50_000] * 3)}):
        answer = server.client.post(
            "/v1/feedback", headers={"Content-Type": "application/json"}, **more
        )
        assert check_refusal(answer.status_code, answer.headers, answer.json()) == "too_large"


def test_those_who_hold_connections_keep_no_one_out(server, encode, monkeypatch):
    monkeypatch.setattr(connections, "most_connections", lambda: 40)
    held = [socket.create_connection(server.address, timeout=10) for _ in range(20)]
    try:
        for number in range(100):
            held.append(socket.create_connection(server.address, timeout=10))
            held[-1].sendall(b"GET / HTTP/1.1\r\nX: " if number % 2 else b"")
        began = time.monotonic()
        answer = talk(server.address, post("/v1/predict", encode(200)))
        assert answer.status == 200
        assert time.monotonic() - began < 5
        assert held[0].recv(10) == b""  # the one that has waited longest
    except ConnectionResetError:
        pass
    finally:
        for each in held:
            each.close()
    assert server.client.get("/healthz").status_code == 200


def test_a_connection_more_than_the_limit_does_not_end_a_request(serve, encode, monkeypatch):
    monkeypatch.setattr(connections, "most_connections", lambda: 3)
    server = serve()
    server.network.may_go.clear()
    busy = [socket.create_connection(server.address, timeout=20) for _ in range(2)]
    for each in busy:
        each.sendall(post("/v1/predict", encode(200)))
    wait_until(lambda: server.service.admission.taken == 2)
    idle = [socket.create_connection(server.address, timeout=20) for _ in range(10)]
    assert talk(server.address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200
    server.network.may_go.set()
    assert [read_answer(each).status for each in busy] == [200, 200]
    for each in (*busy, *idle):
        each.close()


def test_tiny_chunks_do_not_slow_others(server, encode):
    stop = threading.Event()

    def flood():
        block = b"1\r\na\r\n" * 40_000
        while not stop.is_set():
            with socket.create_connection(server.address, timeout=10) as client:
                try:
                    client.sendall(CHUNKED)
                    while not stop.is_set():
                        client.sendall(block)
                except OSError:
                    time.sleep(0.02)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        took = []
        for _ in range(20):
            began = time.monotonic()
            assert server.client.get("/healthz").status_code == 200
            took.append(time.monotonic() - began)
    finally:
        stop.set()
        thread.join()
    assert sorted(took)[15] < 1.0, took  # it was 4 seconds


def test_an_answer_is_not_held_back_by_the_network(server):
    took = []
    for _ in range(40):
        began = time.perf_counter()
        server.client.get("/healthz")
        took.append(time.perf_counter() - began)
        time.sleep(0.005)
    assert sorted(took)[10] < 0.03, took  # a delayed acknowledgement takes 40 ms


def test_many_slow_bodies_leave_reading_free(serve, encode):
    server = serve(bounds={"body_seconds": 2.0, "queue": 10})
    slow = [socket.create_connection(server.address, timeout=20) for _ in range(12)]
    for each in slow:
        each.sendall(PREDICT + b"Content-Length: 1000\r\n\r\n" + encode()[:50])
    wait_until(lambda: server.service.admission.taken == 12)
    answer = server.client.post("/v1/predict", content=encode())
    assert check_refusal(answer.status_code, answer.headers, answer.json()) == "busy"
    assert server.client.get("/healthz").status_code == 200
    assert [read_answer(each).status for each in slow] == [408] * 12
    assert server.client.post("/v1/predict", content=encode()).status_code == 200
    for each in slow:
        each.close()
