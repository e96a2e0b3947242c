"""What the server answers, and what it notes of it."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx
import pytest

from deepfake_lightning.monitoring.log.projection import projection_values
from deepfake_lightning.serving.access.tokens import FILE, TokenStore
from deepfake_lightning.serving.jobs.job import STATES

TOKEN = "0123456789abcdef-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def refused(server, answer, status, code):
    """Assert the shape of an error, and that the log has it; return the row."""
    assert answer.status_code == status, answer.text
    record = answer.json()
    assert record.keys() == {"error", "request_id"}
    assert record["error"].keys() == {"code", "message", "next"}
    assert record["error"]["code"] == code
    assert all(record["error"].values())
    row = server.find(record["request_id"])
    assert row is not None
    assert (row.http_status, row.error, row.route) == (status, code, "/v1/predict")
    return row


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_a_picture_is_scored_and_logged(server, encode, kind):
    data = encode(200, kind=kind)
    answer = server.client.post("/v1/predict", content=data)
    assert answer.status_code == 200
    record = answer.json()
    assert record["verdict"] == "manipulation_indicated"
    assert 0.5 < record["score"] < 1
    assert record["not_covered"] and record["meaning"] and record["milliseconds"]
    assert record["version"] == "v0.0.1"
    assert record["demo"] is False
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    row = server.find(record["request_id"])
    assert (row.verdict, row.media_type, row.error) == ("manipulation_indicated", "image", None)
    assert (row.ts_us, row.bytes) == (1_700_000_000_000_000, len(data))
    assert (row.version, row.bundle) == ("v0.0.1", "ab" * 32)
    took = (row.queue_us, row.decode_us, row.faces_us, row.network_us)
    assert None not in took
    assert 0 < sum(took) <= row.latency_us
    assert row.items[0].score == record["score"]
    assert row.items[0].brightness == pytest.approx(200, abs=2)  # of luma
    assert projection_values(row.items[0].projection) == pytest.approx([200, 200], abs=1)


@pytest.mark.parametrize(
    ("query", "kept"), [("", None), ("?already_cropped=true", True), ("?already_cropped=0", False)]
)
def test_what_the_caller_says_of_crops_is_logged(server, encode, query, kept):
    answer = server.client.post(f"/v1/predict{query}", content=encode())
    assert server.find(answer.json()["request_id"]).already_cropped is kept


def test_thresholds_and_scores_of_faces_and_tracks_are_told(server, encode):
    record = server.client.post("/v1/predict", content=encode(200)).json()
    assert record["thresholds"] == {"indicated_from": 0.5, "clear_below": 0.5}
    assert record["faces"][0]["score"] == record["tracks"][0]["score"] == record["score"]
    assert record["tracks"][0]["verdict"] == record["verdict"]
    assert record["environment"] is None
    assert server.client.post("/v1/predict", content=encode(20)).json()["verdict"] == (
        "no_indication"
    )


@pytest.mark.parametrize("query", ["already_croped=true", "already_cropped=perhaps"])
def test_a_wrong_parameter_is_named(server, encode, query):
    answer = server.client.post(f"/v1/predict?{query}", content=encode())
    refused(server, answer, 400, "parameter")
    assert query.partition("=")[0] in answer.json()["error"]["message"]


def test_an_empty_body(server):
    refused(server, server.client.post("/v1/predict"), 400, "empty")


@pytest.mark.parametrize(
    "data", [b"hello", b"GIF89a" + bytes(50), b"\xff\xd8\xff", b"#EXTM3U\n", b"%PDF-1.7", b"\0"]
)
def test_what_is_no_media(server, data):
    row = refused(server, server.client.post("/v1/predict", content=data), 415, "not_media")
    assert (row.bytes, row.items) == (len(data), ())


def test_what_only_begins_like_a_clip(server):
    data = b"\0\0\0\x20ftypisom" + bytes(100)
    refused(server, server.client.post("/v1/predict", content=data), 422, "unreadable")


def test_a_damaged_picture(server, encode):
    answer = server.client.post("/v1/predict", content=encode()[:40])
    row = refused(server, answer, 422, "unreadable")
    assert row.items[0].status == "unreadable"


def test_a_body_that_is_announced_too_large_is_not_read(server):
    before = server.count()
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n")
        client.sendall(b"Content-Length: 9999999999999999999\r\n\r\n")
        head = client.recv(4096)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head.lower()
    assert server.count() == before + 1


def test_a_client_that_sends_all_before_it_reads_still_gets_the_answer(serve):
    server = serve(bounds={"bytes": 16_000_000})
    for _ in range(3):
        client = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        client.request("POST", "/v1/predict", bytes(31_000_000))
        with client.getresponse() as answer:
            assert answer.status == 413
            row = server.find(json.load(answer)["request_id"])
        client.close()
        assert (row.error, row.bytes) == ("too_large", 31_000_000)


def test_a_chunked_body_that_is_too_large_stops_early(server):
    sent = 0

    def endless():
        nonlocal sent
        while sent < 1_000_000_000:
            sent += 50_000
            yield bytes(50_000)

    began = time.monotonic()
    try:
        answer = server.client.post("/v1/predict", content=endless())
    except httpx.TransportError:  # the server hung up on a sender that does not listen
        pass
    else:
        assert answer.status_code == 413
    assert sent < 20_000_000  # what both sides' buffers hold
    assert time.monotonic() - began < 5


def test_a_chunked_body_within_the_limit_is_scored(server, encode):
    data = encode()
    chunks = (data[at : at + 20] for at in range(0, len(data), 20))
    assert server.client.post("/v1/predict", content=chunks).status_code == 200


def test_a_sender_that_stalls_is_not_waited_for(serve):
    server = serve(workers=1, bounds={"body_seconds": 0.2, "queue": 0})
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n")
        client.sendall(b"Content-Length: 1000\r\n\r\nabc")
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
    assert server.count() == 1


def test_a_client_that_leaves_is_noted_and_gives_its_place_back(serve, encode):
    server = serve(workers=1, bounds={"queue": 0})
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n")
        client.sendall(b"Content-Length: 1000\r\n\r\nabc")
    wait_until(lambda: server.count() == 1)
    assert server.client.post("/v1/predict", content=encode()).status_code == 200


def test_a_fault_in_scoring_shows_no_details_and_the_server_goes_on(server, encode, caplog):
    answer = server.client.post("/v1/predict", content=encode(13))
    row = refused(server, answer, 500, "internal")
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text  # in the server's own log
    assert row.id in caplog.text
    assert server.client.post("/v1/predict", content=encode()).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "not_found"), ("POST", "/v1/predict/", 404, "not_found"),
     ("GET", "/v1/predict", 405, "method"), ("GET", "/redoc", 404, "not_found")],
)  # fmt: skip
def test_unknown_paths_and_methods_have_the_same_shape(server, method, path, status, code):
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/jobs", "GET, HEAD, POST"), ("/v1/jobs/abc", "DELETE, GET, HEAD"),
     ("/v1/jobs/abc/overlay", "GET, HEAD"), ("/metrics", "GET, HEAD"), ("/healthz", "GET, HEAD"),
     ("/v1/predict", "POST"), ("/openapi.json", "GET, HEAD"), ("/docs", "GET, HEAD")],
)  # fmt: skip
def test_a_wrong_method_is_told_all_that_there_are(server, path, methods):
    answer = server.client.options(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, methods)


def test_why_a_change_is_refused_is_told_to_those_who_run_the_server(serve, tmp_path):
    store = TokenStore(tmp_path / "serving" / FILE)
    bearer = {
        scope: {"Authorization": f"Bearer {store.create(scope, [scope])[0]}"}
        for scope in ("predict", "metrics", "admin")
    }
    server = serve()

    def ask(scope):
        return server.client.get("/readyz", headers=bearer[scope]).json()["refused"]

    assert ask("predict") is None
    server.service.fleet.refused = "/srv/models/v2.0.0/model.onnx: its bytes have changed"
    assert ask("metrics") == ask("admin") == server.service.fleet.refused
    assert "is refused" in ask("predict") and "/srv" not in ask("predict")


def test_health_readiness_and_the_description(serve):
    server = serve(is_demo=True)
    assert server.client.get("/healthz").json() == {"status": "ok"}
    ready = server.client.get("/readyz").json()
    assert (ready["status"], ready["version"], ready["demo"]) == ("ready", "v0.0.1", True)
    assert ready["digest"] == "ab" * 32
    assert ready["limits"]["max_bytes"] > 1_000_000
    described = server.client.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]
    assert "requestBody" in described
    names = {each["name"] for each in described["parameters"]}
    assert names == {"already_cropped", "overlay", "X-Client-Key"}


def test_probes_may_ask_for_the_head_alone(server):
    for path in ("/healthz", "/readyz", "/metrics", "/v1/jobs", "/openapi.json"):
        answer = server.client.head(path)
        assert (answer.status_code, answer.text) == (200, "")


def test_only_what_asks_for_a_score_is_a_row(server):
    before = server.count()
    assert server.client.get("/v1/predict").status_code == 405
    assert server.count() == before


def test_a_demo_detector_says_so_in_each_answer(serve, encode):
    server = serve(is_demo=True)
    assert server.client.post("/v1/predict", content=encode()).json()["demo"] is True


def test_concurrent_requests_are_scored_by_so_many_workers_and_all_logged(serve, encode):
    server = serve(workers=2, bounds={"queue": 100})
    with ThreadPoolExecutor(16) as pool:
        post = lambda number: server.client.post("/v1/predict", content=encode(number))  # noqa: E731
        answers = list(pool.map(post, range(100, 200)))
    assert {answer.status_code for answer in answers} == {200}
    found = [server.find(answer.json()["request_id"]) for answer in answers]
    assert [row.items[0].logit for row in found] == [a.json()["logit"] for a in answers]
    assert server.count() == 100
    assert server.network.at_once <= 2


def test_a_full_queue_is_refused_at_once_and_empties_again(serve, encode):
    server = serve(workers=1, slots=1, bounds={"queue": 1})
    server.network.may_go.clear()
    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(server.client.post, "/v1/predict", content=encode()) for _ in range(3)]
        first = next(as_completed(tasks, timeout=20))  # the other two wait
        refused(server, first.result(), 503, "busy")
        assert first.result().headers["Retry-After"] == "1"
        assert server.client.get("/healthz").status_code == 200  # the event loop is free
        wait_until(lambda: server.network.at_once == 1)  # decoding took its time
        server.network.may_go.set()
        assert sorted(task.result().status_code for task in tasks) == [200, 200, 503]
    assert server.client.post("/v1/predict", content=encode()).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"},
     {"Authorization": TOKEN}, {"Authorization": "Bearer"}, {"Authorization": "Bearer \xe9"}],
)  # fmt: skip
def test_a_missing_or_wrong_token(serve, encode, headers):
    server = serve(token=TOKEN)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    for path in ("/v1/predict", "/v1/jobs", "/metrics", "/nothing"):
        answer = server.client.request("POST", path, content=encode(), headers=raw)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "token"
        assert TOKEN not in answer.text
    assert server.client.get("/healthz").status_code == 200
    assert server.count() == 0  # strangers cannot fill the disk


def test_the_right_token_under_any_host_name(serve, encode):
    server = serve(token=TOKEN)
    headers = {**BEARER, "Host": "detector.example:8000"}
    answer = server.client.post("/v1/predict", content=encode(), headers=headers)
    assert answer.status_code == 200
    assert server.client.get("/openapi.json", headers=BEARER).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.1:80", ""])
def test_without_a_token_other_host_names_are_refused(server, encode, host):
    answer = server.client.post("/v1/predict", content=encode(), headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.9.9.9:80", "[::1]:8000"])
def test_without_a_token_names_of_this_machine_are_answered(server, encode, host):
    answer = server.client.post("/v1/predict", content=encode(), headers={"Host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1.example.com"])
def test_pages_of_other_sites_cannot_make_it_work(server, encode, origin):
    answer = server.client.post("/v1/predict", content=encode(), headers={"Origin": origin})
    assert answer.status_code == 403
    own = {"Origin": "http://localhost:8000"}
    assert server.client.post("/v1/predict", content=encode(), headers=own).status_code == 200


def test_a_parameter_is_given_once(server, encode):
    twice = "/v1/predict?already_cropped=false&already_cropped=true"
    assert server.client.post(twice, content=encode()).status_code == 400


def test_an_address_with_something_behind_it_is_no_loopback(server, encode):
    answer = server.client.post("/v1/predict", content=encode(), headers={"Host": "[::1]evil.com"})
    assert answer.status_code == 403


def test_metrics_have_predictions_jobs_of_each_state_and_disks(server, encode):
    def counted():
        lines = server.client.get("/metrics").text.splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line.startswith("deepfake_"))

    of = 'environment="",media="image"'
    count = f'deepfake_predictions_total{{{of},status="200",version="v0.0.1"}}'
    before = float(counted().get(count, 0))
    assert server.client.post("/v1/predict", content=encode()).status_code == 200
    found = counted()
    assert float(found[count]) == before + 1
    states = {state: found[f'deepfake_jobs{{state="{state}"}}'] for state in STATES}
    assert set(states.values()) == {"0.0"}
    assert 0 < float(found['deepfake_disk_used_ratio{disk="workspace"}']) < 1


def test_what_is_loaded_at_the_start_is_not_looked_through_for_garbage(serve):
    """It takes 0.1 s, every few seconds, in which no one is answered."""
    gc.unfreeze()
    server = serve()
    assert gc.get_freeze_count() > 50_000
    assert server.client.get("/healthz").status_code == 200
