"""A server draws requests for review, and keeps their media where its operator wants that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.review import review_queue
from deepfake_lightning.serving import uploads


def policy(workspace: Path, text: str) -> Path:
    path = workspace / "monitoring" / "policy" / "review.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return workspace / "monitoring" / "media"


def kept(folder: Path, number: int) -> set[str]:
    """Return the names of the files of a folder, once there are so many."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found = {path.name for path in folder.glob("[!.]*")}
        if len(found) >= number:
            return found
        time.sleep(0.05)
    return found


def test_media_of_drawn_requests_are_kept_until_they_are_erased(
    tmp_path, serve, encode, monkeypatch
):
    folder = policy(tmp_path, "rate: 1\n")
    monkeypatch.setattr(uploads, "IN_MEMORY", 200)
    running = serve(keep_media=True)
    small, large = encode(200), encode(100, kind=".bmp")
    assert len(small) < 200 < len(large)
    ids = [
        running.client.post("/v1/predict", content=body).json()["request_id"]
        for body in (small, large)
    ]
    assert running.client.post("/v1/predict", content=b"\xff\xd8no").status_code == 415
    assert kept(folder, 2) == {f"{ids[0]}.png", f"{ids[1]}.bmp"}
    assert (folder / f"{ids[0]}.png").read_bytes() == small
    assert (folder / f"{ids[1]}.bmp").read_bytes() == large
    (newest, oldest) = review_queue(running.service.log, media=folder)
    assert (newest.media, oldest.request_id) == (folder / f"{ids[1]}.bmp", ids[0])
    assert not list((tmp_path / "serving" / "uploads").glob("*/review-*"))

    assert running.client.delete(f"/v1/requests/{ids[0]}").status_code == 200
    assert kept(folder, 1) == {f"{ids[1]}.bmp"}
    hasty = running.client.post("/v1/predict", content=small).json()["request_id"]
    assert running.client.delete(f"/v1/requests/{hasty}").status_code == 200
    time.sleep(1.2)  # two rounds of what writes them
    assert kept(folder, 1) == {f"{ids[1]}.bmp"}


def test_without_being_asked_requests_are_drawn_and_no_media_kept(tmp_path, serve, encode):
    folder = policy(tmp_path, "rate: 1\n")
    running = serve()
    answer = running.client.post("/v1/predict", content=encode(200)).json()
    assert running.find(answer["request_id"]) is not None
    assert [one.request_id for one in review_queue(running.service.log)] == [answer["request_id"]]
    running.service.keeper.close()
    assert not folder.exists()


def test_what_is_not_drawn_is_not_kept(tmp_path, serve, encode):
    folder = policy(tmp_path, "rate: 0\n")
    running = serve(keep_media=True)
    answer = running.client.post("/v1/predict", content=encode(200)).json()
    assert running.find(answer["request_id"]) is not None
    running.service.keeper.close()
    assert not review_queue(running.service.log)
    assert not folder.exists()


def test_a_policy_that_cannot_work_ends_the_command_at_once(tmp_path, start_serve):
    from deepfake_lightning.cli.serve import serve as command

    policy(tmp_path, "rat: 1\n")
    (tmp_path / "deployment" / "config").mkdir(parents=True)
    (tmp_path / "deployment" / "config" / "production.json").write_text('{"schema": 1}')
    with pytest.raises(UsageError, match="there is no key rat"):
        command(env="production", port=0, workspace=str(tmp_path))
