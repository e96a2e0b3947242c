"""Golden pictures, known media and bad uploads, at a server that runs in a thread."""

from __future__ import annotations

import json
import shutil
import threading

import httpx
import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.deployment.integration.golden import check_golden, golden_pictures
from deepfake_lightning.deployment.integration.known import check_known, known_media
from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.uploads import bad_uploads, check_uploads
from deepfake_lightning.serving.app import create_app
from deepfake_lightning.serving.server import listen, make_server, url_of
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.storage import Workspace

TOKEN = "only-for-these-tests-0123456789"
PLAN = IntegrationPlan()


@pytest.fixture(scope="module")
def bundle(crop_bundle):
    return load_bundle(crop_bundle.folder)


@pytest.fixture(scope="module")
def client(bundle, tmp_path_factory):
    """Return who asks a server with the bundle, with its token."""
    settings = Settings(tmp_path_factory.mktemp("checks"), bundle=bundle.folder, workers=2,
                        token=TOKEN, asks=True)  # fmt: skip
    with listen("127.0.0.1", 0) as listener:
        server = make_server(create_app(settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            with httpx.Client(base_url=url_of(listener), headers=headers, timeout=30) as asks:
                assert asks.get("/readyz").status_code == 200
                yield asks
        finally:
            server.should_exit = True
            thread.join(60)


@pytest.fixture
def other(bundle, replace_file, tmp_path):
    """Return a function that gives a bundle with another file: ``other(name, old, new)``."""

    def changed(name, old, new):
        folder = shutil.copytree(bundle.folder, tmp_path / "other")
        data = (folder / name).read_bytes()
        assert old in data
        replace_file(folder, name, data.replace(old, new, 1))
        return load_bundle(folder)

    return changed


def answering(client, path, change):
    """Return a client whose server's answers are changed on their way."""

    def hook(response):
        if response.request.url.path == path:
            response.read()
            response._content = change(response.content)

    changed = httpx.Client(base_url=client.base_url, headers=client.headers, timeout=30,
                           event_hooks={"response": [hook]})  # fmt: skip
    return changed


def test_golden_pictures_get_their_scores(client, bundle):
    found = check_golden(client, bundle)
    assert found.passed, found.says
    assert found.value <= 1e-4 < found.limit == 0.01
    assert found.says.startswith("8 golden pictures get their recorded scores")


def test_another_bundle_than_the_tested_one_is_noticed(client, other):
    found = check_golden(client, other("MODEL_CARD.md", b"#", b"##"))
    assert not found.passed
    assert found.says.startswith("the golden picture golden/0_drawn.png is answered by another")


def test_a_server_that_scores_otherwise_than_recorded(client, bundle, tmp_path):

    def shifted(content):
        record = json.loads(content)
        return json.dumps({**record, "logit": record["logit"] + 0.5}).encode()

    with answering(client, "/v1/predict", shifted) as changed:
        golden = check_golden(changed, bundle)
        known = check_known(changed, bundle, known_media(Workspace(tmp_path), bundle, 3), PLAN)
    assert (golden.passed, golden.value) == (False, pytest.approx(0.5, abs=1e-3))
    assert "is recorded" in golden.says
    assert (known.passed, known.value) == (False, pytest.approx(0.5, abs=1e-3))
    assert known.says.startswith("golden picture 1 gets a logit of")
    assert known.says.endswith("in this process")


def test_a_refused_golden_picture_says_what_the_server_says(client, bundle):
    stranger = httpx.Client(base_url=client.base_url)
    found = check_golden(stranger, bundle)
    assert not found.passed and found.value is None
    assert "gets the answer 401: the token is missing or wrong" in found.says


def test_known_media_of_the_operator_are_taken_first(
    client, bundle, write_picture, make_clip, tmp_path
):
    workspace = Workspace(tmp_path / "mlops")
    folder = workspace.deployment / "known"
    for number in range(3):
        write_picture(folder / "real" / f"{number}.png", seed=number)
    write_picture(folder / "fake" / "swap.png", seed=7, fake=True)
    make_clip(folder / "fake" / "clip.mp4", frames=8)
    (folder / "real" / "README.txt").write_text("where these are from")
    (folder / "fake" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    known = known_media(workspace, bundle, 2)
    assert [one.name for one in known] == ["real/0.png", "real/1.png", "fake/clip.mp4",
                                          "fake/swap.png"]  # fmt: skip
    known = known_media(workspace, bundle, 20)
    done = []
    found = check_known(client, bundle, known, PLAN, done.append)
    assert found.passed, found.says
    assert done == [1, 2, 3, 4, 5, 6]
    assert found.says.startswith("6 known media get the answers that the detector gives")
    assert found.says.endswith("it is not calibrated and gives no verdicts")


def test_without_known_media_the_golden_pictures_are(client, bundle, tmp_path):
    known = known_media(Workspace(tmp_path), bundle, 20)
    found = check_known(client, bundle, known, PLAN)
    assert found.passed and len(known) == 8
    assert found.says == "8 golden pictures are answered as the detector does in this process"


def test_bad_uploads_are_refused_as_they_have_to_be(client, bundle):
    found = check_uploads(client, golden_pictures(bundle)[0])
    assert found.passed, found.says
    assert found.value == 0
    assert found.says.startswith("12 bad uploads are refused")


def test_a_bad_upload_that_is_let_in_is_named(client, bundle):
    good = golden_pictures(bundle)[0]

    class Lenient(httpx.Client):
        def send(self, request, **more):
            answer = super().send(request, **more)
            if answer.status_code == 413:
                answer.status_code = 500
            if answer.status_code == 401:
                answer.status_code = 200
            return answer

    with Lenient(base_url=client.base_url, headers=client.headers, timeout=30) as lenient:
        found = check_uploads(lenient, good)
    assert (found.passed, found.value) == (False, 2)
    assert found.says == ("a small file that claims 30000 x 30000 pixels gets the answer 500 "
                          "instead of 413 or 422, and 1 more")  # fmt: skip


def test_there_is_a_bad_upload_for_each_way_to_be_wrong():
    bad = bad_uploads(bytes(100))
    assert {status for one in bad for status in one.statuses} == {400, 401, 404, 405, 413, 415, 422}
    assert all(400 <= status < 500 for one in bad for status in one.statuses)
    assert max(len(one.content) for one in bad) < 1000
