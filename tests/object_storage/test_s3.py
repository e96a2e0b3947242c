"""Against a real S3 client and an S3-compatible server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.errors import DataError, DeepfakeLightningError, UsageError
from deepfake_lightning.object_storage import open_place, pull, push, read_list
from deepfake_lightning.object_storage.pulling import look
from deepfake_lightning.object_storage.pushing import _commit
from tests.object_storage import s3_server

pytestmark = pytest.mark.slow
pytest.importorskip("s3fs", reason="the extra `storage` is not installed")
pytest.importorskip("moto.server", reason="moto[server] is not installed")

KEY, SECRET = "AKIAFORTESTS12345678", "a-secret-that-is-nowhere"
BUCKET = "faces-for-tests"
MARK = "data.list"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[s3_server.Server]:
    import s3fs

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with s3_server.running() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        s3fs.S3FileSystem.clear_instance_cache()
        open_place("s3://x/y").system.mkdir(BUCKET)
        running.requests.clear()
        yield running
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def place(server: s3_server.Server) -> Any:
    return open_place(f"s3://{BUCKET}/set")


def same(one: Path, other: Path) -> bool:
    def contents(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes()
                for path in folder.rglob("*") if path.is_file()}  # fmt: skip

    return contents(one) == contents(other)


def send(place: Any, folder: Path, listed: Callable[..., Any], **how: Any) -> Any:
    return push(place, MARK, listed(folder), lambda one: folder / one.path, **how)


def test_a_folder_comes_back_as_it_was(server, place, folder, listed, tmp_path):
    (folder / "clip.mp4").write_bytes(os.urandom(40 << 20))  # in several parts
    send(place, folder, listed)
    assert server.requests[-2][0] == "HEAD" or server.requests[-1][1].endswith(MARK)
    marks = [n for n, (method, path) in enumerate(server.requests)
             if method == "PUT" and path.endswith(MARK)]  # fmt: skip
    objects = [n for n, (method, path) in enumerate(server.requests)
               if method in ("PUT", "POST") and "/objects/" in path]  # fmt: skip
    assert len(marks) == 1 and marks[0] > max(objects)
    pull(place, read_list(place, MARK, "data"), tmp_path / "there")
    assert same(folder, tmp_path / "there")
    before = server.count("PUT", "")
    assert send(place, folder, listed).was_there
    assert server.count("PUT", "") == before


def test_a_server_that_fails_every_fifth_request_is_borne_with(
    server, place, folder, listed, tmp_path
):
    server.fails_every = 5
    send(place, folder, listed)
    pull(place, read_list(place, MARK, "data"), tmp_path / "there")
    assert same(folder, tmp_path / "there")
    assert len(server.requests) > 60


def test_answers_that_are_cut_short_are_asked_for_again(server, place, folder, listed, tmp_path):
    (folder / "large.bin").write_bytes(os.urandom(3 << 20))
    send(place, folder, listed)
    server.cuts_every = 4
    pull(place, read_list(place, MARK, "data"), tmp_path / "there")
    assert same(folder, tmp_path / "there")


@pytest.mark.parametrize("damage", ["truncated", "changed", "gone"])
def test_a_damaged_object_is_refused(server, place, folder, listed, tmp_path, damage):
    files = listed(folder)
    send(place, folder, listed)
    path = place.path(files.items[5].object_name)
    data = place.system.cat_file(path)
    if damage == "gone":
        place.system.rm_file(path)
    else:
        place.system.pipe_file(path, data[:-3] if damage == "truncated" else b"?" + data[1:])
    said = {"truncated": "shorter", "changed": "SHA-256", "gone": "is gone"}[damage]
    with pytest.raises(DataError, match=said):
        pull(place, files, tmp_path / "there")
    assert not (tmp_path / "there").exists()
    send(place, folder, listed, resend=True)
    pull(place, files, tmp_path / "there")


def test_the_list_is_written_only_over_what_was_seen(server, place, folder, listed):
    first = listed(folder)
    send(place, folder, listed)
    seen = look(place, MARK)
    (folder / "empty.csv").write_text("2")
    second = listed(folder)
    send(place, folder, listed, replace=True)
    (folder / "empty.csv").write_text("3")
    third = listed(folder)
    for before in (None, seen):  # as if it had been looked before the second was there
        with pytest.raises(UsageError, match="another data set"):
            _commit(place, MARK, third, before)
        assert read_list(place, MARK, "data") == second
    assert first != second


def start(*words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deepfake_lightning", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, **(env or {})})  # fmt: skip


def kill_after(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_in_the_middle_of_both_ways(server, make_faces, tmp_path, capsys):
    root = make_faces(tmp_path / "faces", people=60)
    url = f"s3://{BUCKET}/faces"
    server.seconds = 0.1
    for goal in (20, 60):
        sent = lambda goal=goal: server.count("PUT", "/objects/") >= goal  # noqa: E731
        kill_after(start("data", "push", str(root), url), sent)
        assert server.count("PUT", MARK) == 0
        assert main(["data", "pull", url, "--out", str(tmp_path / "none")]) == 2
    capsys.readouterr()
    server.seconds = 0.0
    before = server.count("PUT", "/objects/")
    assert main(["data", "push", str(root), url]) == 0
    assert "122 files" in capsys.readouterr().out
    assert server.count("PUT", "/objects/") - before < 122 - 40

    there = tmp_path / "there"
    server.seconds = 0.1
    for goal in (30, 70):
        server.requests.clear()
        fetched = lambda goal=goal: server.count("GET", "/objects/") >= goal  # noqa: E731
        kill_after(start("data", "pull", url, "--out", str(there)), fetched)
        assert not there.exists()
        if goal == 30:
            first = len(server.requests)
    assert first
    server.seconds = 0.0
    server.requests.clear()
    assert main(["data", "pull", url, "--out", str(there)]) == 0
    assert server.count("GET", "/objects/") < 122 - 60
    assert read_media(there).content_hash() == read_media(root).content_hash()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_two_writers_of_one_version(server, crop_bundle, tmp_path):
    """Both are whole where one comes; where two differ, one of them is told, and one is there."""
    from deepfake_lightning.registry import Registry, Wish, register_bundle
    from deepfake_lightning.storage import Workspace

    url = f"s3://{BUCKET}/registry"
    places = [tmp_path / name for name in ("ada", "bob")]
    for place in places:
        registry = Registry(Workspace(place))
        register_bundle(registry, crop_bundle.folder, Wish(by=place.name))
    crowd = [
        start("registry", "push", "--url", url, "--workspace", str(place)) for place in places * 2
    ]
    said = [one.communicate()[0] for one in crowd]
    codes = [one.returncode for one in crowd]
    assert sorted(codes) == [0, 0, 2, 2], said
    winner = places[codes.index(0)].name
    assert codes[0] == codes[2] and codes[1] == codes[3]
    assert "has another v1.0.0 already" in said[codes.index(2)]
    there = tmp_path / "there"
    assert main(["registry", "pull", "--url", url, "--workspace", str(there)]) == 0
    assert Registry(Workspace(there)).get("v1.0.0").registration.by == winner


def test_no_credentials_and_no_bucket_are_said_without_a_key(server, faces, tmp_path):
    url, nowhere = f"s3://{BUCKET}/faces", "s3://no-such-bucket-here/faces"
    for words, env in (
        (("data", "push", str(faces), nowhere), {}),
        (("data", "pull", nowhere), {}),
        (("data", "pull", url), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
                                 "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}),
        (("data", "pull", url), {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}),
    ):  # fmt: skip
        process = start(*words, env=env)
        said, _ = process.communicate()
        assert process.returncode in (1, 2), said
        assert "Traceback" not in said
        assert KEY not in said and SECRET not in said
        assert "s3://" in said


def test_a_client_that_is_refused_says_no_key(server, place, folder, listed, monkeypatch):
    def refuse(environ, begin):
        begin("403 Forbidden", [("Content-Type", "application/xml")])
        text = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{KEY} no</Message>"
        return [f"{text}<AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>".encode()]

    monkeypatch.setattr(server, "_inside", refuse)
    with pytest.raises(DeepfakeLightningError) as caught:
        send(place, folder, listed)
    assert KEY not in str(caught.value) and SECRET not in str(caught.value)
    assert "access is denied" in str(caught.value)


def test_a_large_file_that_changes_while_it_is_sent_harms_nothing(
    place: Any, tmp_path: Path, listed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    source, data = folder / "clip.mp4", bytes(range(256)) * (160 << 10)  # 40 MB, two pieces
    source.write_bytes(data)
    files = listed(folder)
    assert push(place, MARK, files, lambda one: folder / one.path).sent == 1
    there = place.path(files.items[0].object_name)
    assert place.system.cat_file(there) == data
    real = place.system.open

    def opened(*args: Any, **more: Any) -> Any:
        source.write_bytes(data[:-1] + b"?")
        return real(*args, **more)

    monkeypatch.setattr(place.system, "open", opened)
    with pytest.raises(DataError, match=r"clip.mp4 has changed while it was sent"):
        push(place, MARK, files, lambda one: folder / one.path, resend=True)
    assert place.system.cat_file(there) == data
    assert place.system.list_multipart_uploads(BUCKET) == []
