"""Jobs over HTTP, with a server on loopback."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.media import read_image
from deepfake_lightning.serving.access.callers import Caller
from deepfake_lightning.serving.answers import Exchange, Refusal, on_refusal, on_wrong_parameter
from deepfake_lightning.serving.jobs import JobStore
from deepfake_lightning.serving.jobs.desk import JobDesk
from deepfake_lightning.serving.jobs.routes import router
from deepfake_lightning.serving.jobs.service import JobService, Received, Routed


class Named:
    """ASGI middleware: who asks is whom a header names."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            name = Request(scope).headers.get("X-Name", "me")
            caller = Caller(name, frozenset({"admin" if name == "boss" else "predict"}))
            scope.setdefault("state", {})["exchange"] = Exchange(uuid.uuid4().hex, caller=caller)
        await self.app(scope, receive, send)


@dataclass
class Served:
    client: httpx.Client
    store: JobStore
    nudges: list
    cancelled: list


@pytest.fixture
def served(tmp_path, thorough_bundle):
    loaded = load_bundle(thorough_bundle)
    nudges, cancelled = [], []

    async def receive(request):
        path = tmp_path / f"spooled-{uuid.uuid4().hex}"
        path.write_bytes(await request.body())
        if path.stat().st_size == 0:
            path.unlink()
            raise Refusal(400, "empty", "the body is empty", "send a video")
        return Received(path, "video")

    with JobStore(tmp_path / "jobs", limit=2) as store:
        app = FastAPI()
        app.include_router(router)
        app.add_exception_handler(Refusal, on_refusal)
        app.add_exception_handler(RequestValidationError, on_wrong_parameter)
        app.add_middleware(Named)
        routed = Routed("v1.0.0", loaded.digest, thorough_bundle, "production", "e1", "a")
        app.state.jobs = JobService(
            store, receive, lambda request: routed, nudge=lambda: nudges.append(1),
            on_cancelled=cancelled.append,
        )  # fmt: skip
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                yield Served(client, store, nudges, cancelled)
        finally:
            server.should_exit = True
            thread.join(20)


def as_(name):
    return {"X-Name": name}


def test_a_job_is_accepted_done_and_removed(served, start, wait_for, short_clip):
    accepted = served.client.post("/v1/jobs?overlay=true", content=short_clip.read_bytes())
    job = accepted.json()
    assert accepted.status_code == 202
    assert accepted.headers["Location"] == job["status_url"] == f"/v1/jobs/{job['id']}"
    assert 1 <= int(accepted.headers["Retry-After"]) <= 30
    assert (job["state"], job["ahead"], job["bytes"]) == ("queued", 0, short_clip.stat().st_size)
    assert (job["version"], job["environment"]) == ("v1.0.0", "production")
    assert (job["result"], job["error"], job["started"]) == (None, None, None)
    assert served.nudges == [1]
    assert served.client.get(job["status_url"] + "/overlay").status_code == 404

    start(served.store)
    get = lambda: served.client.get(job["status_url"])  # noqa: E731
    wait_for(lambda: get().json()["state"] == "done")
    done = get()
    assert "Retry-After" not in done.headers
    assert done.json()["result"]["request_id"] == job["id"]
    assert done.json()["result"]["not_covered"]
    assert done.json()["result"]["examined"]["frames"] == 12
    assert done.json()["progress"]["share"] == 1
    drawn = served.client.get(done.json()["overlay_url"])
    assert drawn.headers["Content-Type"] == "image/jpeg"
    assert read_image(drawn.content).size

    assert served.client.delete(job["status_url"]).status_code == 204
    assert get().status_code == 404
    assert served.client.delete(job["status_url"]).status_code == 404


def test_what_has_not_changed_is_not_sent_again(served):
    url = served.client.post("/v1/jobs", content=b"a video").json()["status_url"]
    tag = served.client.get(url).headers["ETag"]
    same = served.client.get(url, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert "Retry-After" in same.headers
    desk = JobDesk(served.store)
    job = desk.claim()
    changed = served.client.get(url, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["state"]) == (200, "running")
    desk.note(job, 3, 12)
    known = changed.headers["ETag"]
    progress = served.client.get(url, headers={"If-None-Match": known}).json()["progress"]
    assert (progress["frames"], progress["frames_to_do"], progress["share"]) == (3, 12, 0.25)
    assert progress["seconds_left"] >= 0


def test_a_job_that_waits_is_cancelled(served):
    url = served.client.post("/v1/jobs", content=b"a video").json()["status_url"]
    cancelled = served.client.delete(url)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert [(job.id, job.state) for job in served.cancelled] == [
        (cancelled.json()["id"], "cancelled")
    ]
    assert served.client.get(url).json()["state"] == "cancelled"
    assert served.client.delete(url).status_code == 204
    assert served.client.get(url).status_code == 404
    assert len(served.cancelled) == 1  # what is removed afterwards is not cancelled anew


def test_a_full_queue_is_refused_before_the_body_is_read(served):
    for _ in range(2):
        served.client.post("/v1/jobs", content=b"a video")
    refused = served.client.post("/v1/jobs", content=b"")  # else it would be found empty
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "jobs_full")
    assert int(refused.headers["Retry-After"]) >= 1


def test_a_failed_job_says_why(served, start, wait_for):
    url = served.client.post("/v1/jobs", content=b"no video at all").json()["status_url"]
    start(served.store)
    wait_for(lambda: served.client.get(url).json()["state"] == "failed")
    job = served.client.get(url).json()
    assert (job["error"]["code"], job["result"]) == ("unreadable", None)
    assert job["error"]["message"].startswith("the upload")
    assert job["error"]["next"]


def test_a_job_is_seen_by_who_sent_it_and_by_an_admin(served):
    url = served.client.post("/v1/jobs", content=b"a video", headers=as_("me")).json()["status_url"]
    for method, path in (("GET", url), ("DELETE", url), ("GET", url + "/overlay")):
        hidden = served.client.request(method, path, headers=as_("other"))
        unknown = served.client.request(method, "/v1/jobs/0" + path[10:], headers=as_("other"))
        assert hidden.status_code == unknown.status_code == 404
        assert hidden.json()["error"] == unknown.json()["error"]
    assert served.client.get("/v1/jobs", headers=as_("other")).json() == {"jobs": []}
    assert len(served.client.get("/v1/jobs", headers=as_("me")).json()["jobs"]) == 1
    listed = served.client.get("/v1/jobs", headers=as_("boss")).json()["jobs"]
    assert [job["status_url"] for job in listed] == [url]
    assert "result" not in listed[0]
    assert served.client.get(url, headers=as_("boss")).status_code == 200


def test_a_wrong_parameter_or_body_leaves_nothing(served, tmp_path):
    wrong = served.client.post("/v1/jobs?overlays=true", content=b"a video")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "parameter")
    assert served.client.post("/v1/jobs", content=b"").status_code == 400
    assert served.store.count() == {}
    assert not list(tmp_path.glob("spooled-*"))


def test_a_store_that_fails_is_said_and_leaves_nothing(served, tmp_path):
    (served.store.folder / "uploads").rmdir()
    failed = served.client.post("/v1/jobs", content=b"a video")
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "storage")
    assert str(tmp_path) not in failed.text
    assert "Retry-After" in failed.headers
    assert not list(tmp_path.glob("spooled-*"))


def test_the_description_shows_a_job_in_each_state(served):
    paths = served.client.get("/openapi.json").json()["paths"]
    for path in ("/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/overlay"):
        assert path in paths
    found = paths["/v1/jobs/{job_id}"]["get"]["responses"]
    examples = found["200"]["content"]["application/json"]["examples"]
    assert set(examples) == {"queued", "running", "done", "failed"}
    assert examples["running"]["value"]["progress"]["seconds_left"] == 84
    assert found["404"]["content"]["application/json"]["example"]["error"]["code"] == "not_found"
    assert {"400", "413", "415", "503"} <= set(paths["/v1/jobs"]["post"]["responses"])
