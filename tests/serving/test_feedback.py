"""What people say of requests, and how requests are erased."""

from __future__ import annotations

import uuid

import pytest

from deepfake_lightning.serving.access.tokens import FILE, TokenStore


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
    [({"label": "perhaps"}, "label"), ({"by": ""}, "by"), ({"request_id": "../x"}, "request_id"),
     ({"note": "x" * 2000}, "note"), ({"extra": 1}, "extra"), ({"by": None}, "by")],
)  # fmt: skip
def test_feedback_that_cannot_be_read_is_named(server, encode, change, named):
    record = {"request_id": uuid.uuid4().hex, "label": "fake", "by": "ada", **change}
    answer = server.client.post("/v1/feedback", json=record)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


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
