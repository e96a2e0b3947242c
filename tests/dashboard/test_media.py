import httpx
import pytest

from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.review import review_queue

from .conftest import JPEG


@pytest.fixture
def kept(busy_copy):
    """Return a request of the queue, of which a picture is kept."""
    with PredictionLog(busy_copy.monitoring / "predictions.db") as log:
        request_id = review_queue(log, environment="production")[0].request_id
    folder = busy_copy.monitoring / "media"
    folder.mkdir()
    (folder / f"{request_id}.jpg").write_bytes(JPEG)
    (folder / "not-in-the-queue.jpg").write_bytes(JPEG)
    return request_id


def test_a_picture_is_given_out_by_its_request(busy_copy, start, kept):
    answer = httpx.get(f"{start(busy_copy)}/media/{kept}")
    assert answer.content == JPEG
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_its_type_is_what_it_is_and_not_what_it_is_called(busy_copy, start, kept):
    (busy_copy.monitoring / "media" / f"{kept}.jpg").write_bytes(b"<script>alert(1)</script>")
    assert httpx.get(f"{start(busy_copy)}/media/{kept}").status_code == 404


@pytest.mark.parametrize(
    "path", ["not-in-the-queue", "..%2f..%2fpredictions.db", "%2fetc%2fpasswd", "x" * 300]
)
def test_nothing_else_is_given_out(busy_copy, start, kept, path):
    assert httpx.get(f"{start(busy_copy)}/media/{path}").status_code == 404


def test_an_erased_request_has_no_picture(busy_copy, start, kept):
    url = start(busy_copy)
    assert httpx.get(f"{url}/media/{kept}").status_code == 200
    with PredictionLog(busy_copy.monitoring / "predictions.db") as log:
        log.erase(kept)
    assert httpx.get(f"{url}/media/{kept}").status_code == 404
