"""An environment's file says who serves, at any time."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.storage import Workspace, atomic_write, write_json

CROPPED = "/v1/predict?already_cropped=true"


@pytest.fixture(scope="module")
def versions(crop_bundle, tmp_path_factory):
    """Return a workspace with v1.0.0, v1.1.0, v1.2.0 and v2.0.0."""
    workspace = Workspace(tmp_path_factory.mktemp("following") / "mlops")
    for version in ("v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0"):
        register_bundle(Registry(workspace), crop_bundle.folder, Wish(version))
    return workspace


@pytest.fixture
def deploy(versions):
    """Return a function that writes production's file: ``deploy({"v1.0.0": 1}, shadow=[])``."""

    def write(shares, *, shadow=(), experiment=None):
        serving = [{"version": name, "share": share} for name, share in shares.items()]
        record = {"schema": 1, "serving": serving, "shadow": list(shadow)}
        if experiment:
            record["experiment"] = experiment
        write_json(versions.environments / "production.json", record)

    return write


@pytest.fixture
def following(versions, deploy, serve_settings):
    """Return a server that follows production, in which v1.0.0 serves at first."""
    deploy({"v1.0.0": 1})
    return serve_settings(Settings(versions.root, environment="production", workers=2))


def ready(server):
    return server.client.get("/readyz").json()


def wait_for(server, check, seconds=20.0):
    end = time.monotonic() + seconds
    while not check(found := ready(server)):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def test_a_change_is_followed_without_a_failed_request(following, deploy, encode):
    first = following.client.post(CROPPED, content=encode()).json()
    assert (first["version"], first["environment"]) == ("v1.0.0", "production")
    deploy({"v1.1.0": 1})
    answers = []
    end = time.monotonic() + 20
    while not answers or answers[-1].json()["version"] != "v1.1.0":
        answers.append(following.client.post(CROPPED, content=encode()))
        assert answers[-1].status_code == 200
        assert time.monotonic() < end
    assert {answer.json()["version"] for answer in answers} <= {"v1.0.0", "v1.1.0"}
    assert answers[-1].json()["score"] == first["score"]  # the same network
    row = following.find(answers[-1].json()["request_id"])
    assert (row.version, row.environment, row.experiment) == ("v1.1.0", "production", "production")


def test_going_back_takes_less_than_a_second(following, deploy):
    took = []
    for _ in range(3):  # the machine may be busy
        deploy({"v1.1.0": 1})
        wait_for(following, lambda found: found["version"] == "v1.1.0")
        began = time.monotonic()
        deploy({"v1.0.0": 1})
        wait_for(following, lambda found: found["version"] == "v1.0.0")
        took.append(time.monotonic() - began)
    assert min(took) < 1.0


def test_a_version_that_is_damaged_is_refused_and_the_old_one_stays(
    following, versions, deploy, encode
):
    weights = versions.registry / "models/v2.0.0/model.onnx"
    whole = weights.read_bytes()
    try:
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        deploy({"v2.0.0": 1})
        found = wait_for(following, lambda found: found["refused"])
    finally:
        weights.write_bytes(whole)
    assert "model.onnx" in found["refused"]
    assert found["version"] == "v1.0.0"
    assert following.client.post(CROPPED, content=encode()).json()["version"] == "v1.0.0"
    assert "deepfake_version_refused 1.0" in following.client.get("/metrics").text
    deploy({"v2.0.0": 1})  # it was repaired
    found = wait_for(following, lambda found: found["version"] == "v2.0.0")
    assert found["refused"] is None


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"schema": 1, "serving": [', "cannot be read"),
     ('{"schema": 1, "serving": [{"version": "v9.9.9", "share": 1}]}', "v9.9.9"),
     ('{"schema": 1, "serving": [{"version": "v1.1.0", "share": 0.5}]}', "shares sum to 0.5"),
     ('{"schema": 7, "serving": []}', "schema 7")],
)  # fmt: skip
def test_a_file_that_says_nonsense_changes_nothing(following, versions, content, said):
    with atomic_write(versions.environments / "production.json", "w") as file:  # never seen empty
        file.write(content)
    found = wait_for(following, lambda found: found["refused"])
    assert said in found["refused"]
    assert found["version"] == "v1.0.0"


def test_shares_are_sticky_by_the_clients_key(following, deploy, encode):
    deploy({"v1.0.0": 0.5, "v1.1.0": 0.5}, experiment="spring")
    wait_for(following, lambda found: len(found["serving"]) == 2)

    def versions_of(key):
        headers = {"X-Client-Key": key} if key else {}
        answers = [following.client.post(CROPPED, content=encode(), headers=headers)
                   for _ in range(3 if key else 40)]  # fmt: skip
        return Counter(answer.json()["version"] for answer in answers)

    by_key = [versions_of(f"client {number}") for number in range(12)]
    assert all(len(found) == 1 for found in by_key)
    assert len({next(iter(found)) for found in by_key}) == 2
    assert len(versions_of("")) == 2  # without one each request is dealt by itself


def test_a_shadow_scores_and_does_not_answer(following, deploy, encode):
    deploy({"v1.0.0": 1}, shadow=["v1.2.0"])
    wait_for(following, lambda found: found["shadow"] == ["v1.2.0"])
    record = following.client.post(CROPPED, content=encode()).json()
    assert record["version"] == "v1.0.0"
    end = time.monotonic() + 10
    while len((row := following.find(record["request_id"])).items) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    answered, shadow = row.items
    assert (answered.variant, shadow.variant) == ("serving", "shadow")
    assert (answered.version, shadow.version) == ("v1.0.0", "v1.2.0")
    assert shadow.logit == pytest.approx(answered.logit, abs=1e-5)
    assert shadow.projection


def test_nothing_deployed_is_503_until_something_is(following, deploy, encode):
    deploy({})
    end = time.monotonic() + 10
    while following.client.get("/readyz").status_code != 503:
        assert time.monotonic() < end
    answer = following.client.post(CROPPED, content=encode())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "nothing_deployed")
    deploy({"v1.1.0": 1})
    wait_for(following, lambda found: found.get("version") == "v1.1.0")
    assert following.client.post(CROPPED, content=encode()).status_code == 200


def test_a_file_that_is_gone_takes_nobody_out(following, versions, encode, serve_settings):
    (versions.environments / "production.json").unlink()
    found = wait_for(following, lambda found: found["refused"])
    assert "is gone" in found["refused"]
    assert following.client.post(CROPPED, content=encode()).status_code == 200
    other = serve_settings(Settings(versions.root, environment="production", workers=2))
    assert ready(other)["version"] == "v1.0.0"  # one that begins meanwhile


def test_who_begins_while_a_change_is_refused_takes_what_served(
    following, versions, deploy, encode, serve_settings
):
    deploy({"v9.9.9": 1})
    wait_for(following, lambda found: found["refused"])
    other = serve_settings(Settings(versions.root, environment="production", workers=2))
    found = ready(other)
    assert found["version"] == "v1.0.0"
    assert "v9.9.9" in found["refused"]
    assert other.client.post(CROPPED, content=encode()).json()["version"] == "v1.0.0"


def test_what_cannot_serve_at_the_start_is_said_at_once(versions, deploy, tmp_path):
    from deepfake_lightning.serving.service import open_fleet
    from deepfake_lightning.serving.telemetry.metrics import Metrics

    path = tmp_path / "deployment/config/production.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schema": 1, "serving": [{"version": "v9.9.9", "share": 1}]}))
    settings = Settings(tmp_path, environment="production")  # where nothing has served yet
    with pytest.raises(UsageError, match=r"v9\.9\.9"), open_fleet(settings, Metrics()):
        pass
