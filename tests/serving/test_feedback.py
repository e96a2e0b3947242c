"""What people say of requests, and how requests are erased."""

from __future__ import annotations

import sqlite3
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from deepfake_lightning.monitoring.log import new_request_id, retention
from deepfake_lightning.serving import long_media
from deepfake_lightning.serving.access.tokens import FILE, TokenStore
from deepfake_lightning.serving.jobs.job import Order


def ask(server, encode, headers=None):
    answer = server.client.post("/v1/predict", content=encode(), headers=headers)
    assert answer.status_code == 200
    return answer.json()["request_id"]


def say(server, request_id, label="fake", headers=None, **more):
    record = {"request_id": request_id, "label": label, "by": "ada", **more}
    return server.client.post("/v1/feedback", json=record, headers=headers)


def test_feedback_right_after_an_answer_is_kept(server, encode):
    request_id = ask(server, encode)
    answer = say(server, request_id, note="the source clip was found")
    assert answer.status_code == 201
    assert answer.json() == {"request_id": request_id, "label": "fake", "by": "ada"}
    assert say(server, request_id, "real").status_code == 201
    first, second = server.service.log.labels(request_id)
    assert (first.label, first.by, first.note) == (1, "ada", "the source clip was found")
    assert (second.label, second.source, second.client) == (0, "feedback", "local")


def test_feedback_for_what_was_never_asked(server):
    answer = say(server, uuid.uuid4().hex)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("change", "named"),
    [({"label": "perhaps"}, "label"), ({"by": ""}, "by"), ({"by": " \t "}, "by"),
     ({"request_id": "../x"}, "request_id"),
     ({"note": "x" * 2000}, "note"), ({"extra": 1}, "extra"), ({"by": None}, "by")],
)  # fmt: skip
def test_feedback_that_cannot_be_read_is_named(server, encode, change, named):
    record = {"request_id": uuid.uuid4().hex, "label": "fake", "by": "ada", **change}
    answer = server.client.post("/v1/feedback", json=record)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["text/plain", None])
def test_feedback_that_is_not_said_to_be_json(server, kind):
    headers = {"Content-Type": kind} if kind else {}
    answer = server.client.post("/v1/feedback", content=b'{"label": "fake"}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parameter")
    assert "Content-Type: application/json" in answer.json()["error"]["next"]


@pytest.mark.parametrize(
    "content", [b"{bad", b'{"by": "\xff"}', b"[" * 60_000, b'{"by": ' + b"1" * 5000 + b"}"],
    ids=["damaged", "not UTF-8", "deep", "a long number"],
)  # fmt: skip
def test_feedback_that_is_no_json(server, content):
    headers = {"Content-Type": "application/json"}
    answer = server.client.post("/v1/feedback", content=content, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "parameter")
    assert "no JSON" in error["message"]


def test_feedback_is_told_what_may_stand_there_and_not_what_it_sent(server):
    answer = say(server, uuid.uuid4().hex, "my-secret")
    message = answer.json()["error"]["message"]
    assert "'real' or 'fake'" in message and "my-secret" not in message


def test_who_says_so_is_kept_without_blanks_around_it(server, encode):
    request_id = ask(server, encode)
    assert say(server, request_id, by="  ada ").json()["by"] == "ada"
    assert [label.by for label in server.service.log.labels(request_id)] == ["ada"]


def test_erasing_takes_all_that_is_kept(server, encode):
    request_id = ask(server, encode)
    assert say(server, request_id).status_code == 201
    answer = server.client.delete(f"/v1/requests/{request_id}")
    assert answer.json() == {"request_id": request_id, "erased": True}
    assert server.find(request_id) is None
    assert server.service.log.labels(request_id) == []
    assert server.client.delete(f"/v1/requests/{request_id}").status_code == 404


def test_scopes_are_asked_for(serve, tmp_path, encode):
    store = TokenStore(tmp_path / "serving" / FILE)
    bearer = {
        name: {"Authorization": f"Bearer {store.create(name, scopes)[0]}"}
        for name, scopes in {"form": ["predict"], "desk": ["feedback"], "boss": ["admin"]}.items()
    }
    server = serve()
    request_id = ask(server, encode, bearer["form"])
    assert server.find(request_id).client == "form"
    assert server.client.post("/v1/predict", content=encode()).status_code == 401
    assert say(server, request_id, headers=bearer["form"]).status_code == 403
    assert say(server, request_id, headers=bearer["desk"]).status_code == 201
    assert server.service.log.labels(request_id)[0].client == "desk"
    url = f"/v1/requests/{request_id}"
    assert server.client.delete(url, headers=bearer["desk"]).status_code == 403
    assert server.client.get("/metrics", headers=bearer["desk"]).status_code == 403
    assert server.client.get("/metrics", headers=bearer["boss"]).status_code == 200
    assert server.client.delete(url, headers=bearer["boss"]).status_code == 200
    assert server.client.get("/readyz").json() == {"status": "ready"}  # no more to strangers
    assert "version" in server.client.get("/readyz", headers=bearer["desk"]).json()


def erase(server, request_id):
    return server.client.delete(f"/v1/requests/{request_id}")


def nothing_is_left(request_id, *servers):
    return [server.find(request_id) for server in servers] == [None] * len(servers)


def test_another_process_knows_a_request_at_once(serve, encode):
    one, other = serve(), serve()
    for _ in range(3):
        request_id = ask(one, encode)
        assert say(other, request_id).status_code == 201
        assert [label.by for label in one.service.log.labels(request_id)] == ["ada"]
        request_id = ask(one, encode)
        assert erase(other, request_id).status_code == 200
        assert nothing_is_left(request_id, one, other)


def test_what_another_process_has_not_written_yet_does_not_come_back(serve, encode):
    now = time.time_ns() // 1000
    # To the second one's clock the request is old, so that it does not wait for its row.
    one, other = serve(clock=lambda: now), serve(clock=lambda: now + 3_600_000_000)
    request_id = ask(one, encode)
    began = time.monotonic()
    assert erase(other, request_id).status_code in (200, 404)
    assert time.monotonic() - began < 1.5
    assert nothing_is_left(request_id, one, other)


def test_a_job_that_ends_as_it_is_erased_is_not_logged(serve, tmp_path):
    server = serve()
    store, service = server.app.state.jobs.store, server.service
    (tmp_path / "upload").write_bytes(b"a video")
    order = {
        "id": new_request_id(service.clock()), "version": "v1.0.0", "digest": "ab" * 32,
        "bundle": str(tmp_path), "client": "ada", "media_type": "video",
    }  # fmt: skip
    job = store.submit(Order(**order), tmp_path / "upload")
    assert erase(server, job.id).status_code == 200
    long_media._log(service, job, None)  # what the runner does a moment after the end
    assert nothing_is_left(job.id, server)
    assert erase(server, job.id).status_code == 404


def test_while_the_log_is_locked_nothing_is_promised(serve, encode):
    server = serve()
    with closing(sqlite3.connect(server.service.log.name, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        request_id = ask(server, encode)
        for answer in (erase(server, request_id), say(server, request_id)):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage")
            assert int(answer.headers["Retry-After"]) > 0
        connection.rollback()
    end = time.monotonic() + 30
    while (answer := erase(server, request_id)).status_code == 503:
        assert time.monotonic() < end
    assert answer.status_code == 200
    assert nothing_is_left(request_id, server)


def test_those_who_wait_are_few_and_not_for_long(serve):
    server = serve(bounds={"deadline": 0.5})
    unknown = new_request_id(server.service.clock())
    answer = erase(server, unknown)  # it would be looked for longer than that
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage")
    with ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(server.service.desk.place())
        answer = erase(server, unknown)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        assert answer.headers["Retry-After"]
    assert server.service.desk.taken == 0


def test_one_callers_feedback_leaves_room_for_erasures(serve, tmp_path, encode):
    store = TokenStore(tmp_path / "serving" / FILE)
    desk, boss = (
        {"Authorization": f"Bearer {store.create(name, [scope])[0]}"}
        for name, scope in (("desk", "feedback"), ("boss", "admin"))
    )
    server = serve(token="0123456789abcdef-test")
    operator = {"Authorization": "Bearer 0123456789abcdef-test"}
    request_id = ask(server, encode, operator)
    with ThreadPoolExecutor(40) as pool:
        made_up = [new_request_id(server.service.clock()) for _ in range(40)]
        said = [pool.submit(say, server, each, headers=desk) for each in made_up]
        end = time.monotonic() + 10
        while server.service.desk.taken < 24:  # three quarters of 32
            assert time.monotonic() < end
            time.sleep(0.01)
        erased = server.client.delete(f"/v1/requests/{request_id}", headers=boss)
    assert erased.status_code == 200
    assert {each.result().status_code for each in said} <= {404, 503}


def test_an_id_of_a_time_to_come_undoes_no_erasure(serve, encode):
    server = serve()
    request_id = ask(server, encode)
    row = server.find(request_id)
    assert erase(server, request_id).status_code == 200
    assert erase(server, new_request_id(server.service.clock() + 10**13)).status_code == 404
    server.service.writer.put(row)
    assert nothing_is_left(request_id, server)


def test_old_requests_leave_the_log_by_themselves(serve, encode, monkeypatch):
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.05)
    now = 1_700_000_000_000_000
    running = serve(log_days=2, clock=lambda: now)
    request_id = running.client.post("/v1/predict", content=encode(200)).json()["request_id"]
    assert running.find(request_id) is not None
    now += 3 * 86_400_000_000
    end = time.monotonic() + 20
    while running.count() and time.monotonic() < end:
        time.sleep(0.05)
    assert running.find(request_id) is None
    label = {"request_id": request_id, "label": "fake", "by": "desk 2"}
    assert running.client.post("/v1/feedback", json=label).status_code == 404
