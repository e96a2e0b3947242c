"""Pictures and clips, as bytes and as forms, small and large, with overlays and deadlines."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import asdict

import cv2
import numpy as np
import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.inference import open_engine
from deepfake_lightning.monitoring.log.projection import projection_values
from deepfake_lightning.serving.decoding import DecoderCrashed
from deepfake_lightning.serving.result_schema import Result
from deepfake_lightning.serving.settings import Bounds, Settings


@pytest.fixture(scope="module")
def clip(portrait_clips):
    return next(iter(sorted((portrait_clips / "fake").glob("*.mp4"))))


@pytest.fixture
def framed(frame_bundle, tmp_path, serve_settings):
    """Return a server of a detector that looks for faces."""
    return serve_settings(Settings(tmp_path, bundle=frame_bundle.folder, workers=2))


def test_a_clip_gets_what_the_engine_says_of_it(framed, frame_bundle, clip):
    record = framed.client.post("/v1/predict", content=clip.read_bytes()).json()
    expected = open_engine(bundle=frame_bundle.folder).assess(clip)
    assert record["media_type"] == "video"
    assert record["logit"] == pytest.approx(expected.logit, abs=1e-5)
    assert record["examined"] == json.loads(json.dumps(asdict(expected.examined)))
    frames = [(face["frame"], face["track"], face["timestamp_ms"]) for face in record["faces"]]
    assert frames == [(face.frame, face.track, face.timestamp_ms) for face in expected.faces]
    assert len(record["tracks"]) == len(expected.tracks)
    assert record["verdict"] == expected.verdict
    row = framed.find(record["request_id"])
    assert (row.media_type, row.http_status) == ("video", 200)
    assert row.decode_us > 0 and row.faces_us > 0 and row.network_us > 0


def test_a_picture_with_a_face_and_one_without(framed, portrait_clips, clip, encode):
    video = cv2.VideoCapture(str(clip))
    done, frame = video.read()
    assert done
    data = cv2.imencode(".jpg", frame)[1].tobytes()
    found = framed.client.post("/v1/predict", content=data).json()
    assert found["status"] == "ok" and found["faces"][0]["box"]
    nobody = framed.client.post("/v1/predict", content=encode(100, width=200)).json()
    assert (nobody["status"], nobody["verdict"]) == ("no_face", "not_assessable")
    assert nobody["meaning"] and nobody["reason"]


def test_answers_have_the_shape_that_is_described(framed, clip, encode):
    """Nothing more, nothing less, and of the same types."""
    nobody = encode(100, width=200)
    asked = [("", clip.read_bytes()), ("?already_cropped=true", nobody),
             ("?overlay=true", clip.read_bytes()), ("?overlay=true", nobody)]  # fmt: skip
    for query, body in asked:
        found = framed.client.post(f"/v1/predict{query}", content=body)
        Result.model_validate_json(found.text, strict=True)
        assert Result.model_fields.keys() - {"schema_version", "overlay"} <= found.json().keys()
    described = framed.client.get("/openapi.json").json()
    answer = described["paths"]["/v1/predict"]["post"]["responses"]["200"]["content"]
    assert answer["application/json"]["schema"]["$ref"].endswith("/Result")
    assert len(answer["application/json"]["examples"]) == 2


def test_a_form_gets_the_same_answer_whatever_its_file_is_called(server, encode):
    data = encode(150)
    raw = server.client.post("/v1/predict", content=data).json()
    for name in ("face.png", "../../etc/passwd", "clip.mp4", "a" * 300, "\u202e.png"):
        answer = server.client.post("/v1/predict", files={"file": (name, data)})
        assert answer.status_code == 200
        assert answer.json()["score"] == raw["score"]
        assert name not in answer.text


def test_a_field_beside_the_file_is_refused_and_not_ignored(server, encode):
    form = {"data": {"overlay": "true"}, "files": {"file": ("face.png", encode(150))}}
    answer = server.client.post("/v1/predict", **form)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "form")
    assert "'overlay'" in error["message"]
    assert "URL?overlay=true" in error["next"]
    del form["data"]
    assert server.client.post("/v1/predict?overlay=true", **form).status_code == 200


def test_a_large_body_goes_through_a_file_which_is_removed(serve):
    server = serve()
    noise = np.random.default_rng(0).integers(0, 255, (1100, 1100, 3), np.uint8)
    data = cv2.imencode(".png", noise)[1].tobytes()
    assert len(data) > 2_000_000
    assert server.client.post("/v1/predict", content=data).status_code == 200
    assert server.client.post("/v1/predict", content=data[:1_500_000]).status_code in (200, 422)
    assert server.client.post("/v1/predict", files={"file": ("x", data)}).status_code == 200
    assert [path.name for path in server.service.spool.folder.iterdir()] == ["lock"]


def test_more_pixels_than_may_be_are_refused_undecoded(serve, encode):
    server = serve(bounds={"pixels": 500})
    answer = server.client.post("/v1/predict", content=encode(100))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "over_limit")
    assert "32 x 24 pixels" in answer.json()["error"]["message"]


def test_longer_clips_than_may_be_are_jobs(frame_bundle, tmp_path, serve_settings, clip):
    settings = Settings(tmp_path, bundle=frame_bundle.folder, workers=2, bounds=Bounds(seconds=0.1))
    server = serve_settings(settings)
    answer = server.client.post("/v1/predict", content=clip.read_bytes())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "over_limit")
    assert "seconds" in answer.json()["error"]["message"]
    assert "/v1/jobs" in answer.json()["error"]["next"]


def test_a_job_may_have_no_more_pixels(frame_bundle, tmp_path, serve_settings, encode):
    bounds = Bounds(pixels=500)
    server = serve_settings(
        Settings(tmp_path, bundle=frame_bundle.folder, workers=2, bounds=bounds)
    )
    job = server.client.post("/v1/jobs", content=encode(100)).json()
    end = time.monotonic() + 60
    while (found := server.client.get(job["status_url"]).json())["state"] != "failed":
        assert found["state"] in ("queued", "running") and time.monotonic() < end
        time.sleep(0.05)
    assert found["error"]["code"] == "unreadable"
    assert "32 x 24 pixels, more than the limit of 500" in found["error"]["message"]


def test_a_job_is_logged_as_its_clip_would_be(framed, clip):
    asked = framed.client.post("/v1/predict", content=clip.read_bytes()).json()
    job = framed.client.post("/v1/jobs", content=clip.read_bytes()).json()
    end = time.monotonic() + 60
    while (row := framed.find(job["id"])) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    of_job, of_clip = row.items[0], framed.find(asked["request_id"]).items[0]
    assert of_job.logit == pytest.approx(of_clip.logit, abs=1e-5)
    assert (row.route, row.http_status, row.verdict) == ("/v1/jobs", 200, asked["verdict"])
    assert projection_values(of_job.projection) == pytest.approx(
        projection_values(of_clip.projection), rel=1e-3, abs=1e-4
    )
    assert of_job.sharpness == pytest.approx(of_clip.sharpness)


def test_a_cancelled_job_is_logged_as_that(framed, clip):
    first, second = (
        framed.client.post("/v1/jobs", content=clip.read_bytes()).json() for _ in range(2)
    )
    assert framed.client.delete(second["status_url"]).json()["state"] == "cancelled"
    row = framed.find(second["id"])
    assert (row.route, row.http_status, row.error) == ("/v1/jobs", 499, "cancelled")
    assert (row.verdict, row.items) == (None, ())
    framed.client.delete(first["status_url"])


def test_an_overlay_is_a_picture(framed, clip):
    record = framed.client.post("/v1/predict?overlay=true", content=clip.read_bytes()).json()
    assert record["overlay"]["media_type"] == "image/jpeg"
    data = np.frombuffer(base64.b64decode(record["overlay"]["base64"]), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape[0] > 50


def test_a_picture_without_a_face_has_no_overlay(framed, encode):
    answer = framed.client.post("/v1/predict?overlay=true", content=encode(100, width=200))
    assert answer.json()["overlay"] is None


def test_an_overlay_of_a_large_picture_is_small(serve, encode):
    large = cv2.imencode(".png", np.full((2500, 5000, 3), 200, np.uint8))[1].tobytes()
    record = serve().client.post("/v1/predict?overlay=true", content=large).json()
    data = np.frombuffer(base64.b64decode(record["overlay"]["base64"]), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (1000, 2000, 3)
    assert record["notes"] == []


@pytest.mark.parametrize(
    ("raised", "said"),
    [(TimeoutError(), "too long"), (DecoderCrashed("exit code -11"), "died"), (None, "read")],
)
def test_why_a_face_has_no_overlay_is_said(serve, encode, monkeypatch, raised, said):
    async def draw(*args):
        if raised is not None:
            raise raised
        return b""

    server = serve()
    monkeypatch.setattr(server.service.pool, "draw", draw)
    answer = server.client.post("/v1/predict?overlay=true", content=encode()).json()
    assert (answer["status"], answer["overlay"], len(answer["notes"])) == ("ok", None, 1)
    assert answer["notes"][0].startswith("there is no overlay: ")
    assert said in answer["notes"][0]
    Result.model_validate(answer)


def test_a_deadline_is_held(serve, encode):
    server = serve(bounds={"deadline": 0.4})
    server.network.may_go.clear()
    began = time.monotonic()
    answer = server.client.post("/v1/predict", content=encode())
    assert time.monotonic() - began < 1.5
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "deadline")
    assert int(answer.headers["Retry-After"]) > 0
    server.network.may_go.set()
    assert server.client.post("/v1/predict", content=encode()).status_code == 200


def test_a_score_that_is_no_number_is_a_fault_and_no_score(serve, encode, brightness):
    server = serve()
    answer = server.client.post("/v1/predict", content=encode(brightness.NO_NUMBER))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")


def test_scores_are_those_of_the_bundles_calibration(framed, frame_bundle, clip):
    record = framed.client.post("/v1/predict", content=clip.read_bytes()).json()
    fitted = load_bundle(frame_bundle.folder).calibration.video
    assert (record["thresholds"] is None) == (fitted is None)
    assert record["calibrated"] == (fitted is not None)
