"""What keeps a command from a Ray cluster is said before any work begins."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.errors import ClusterError, UsageError
from deepfake_lightning.processes import open_cluster


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # so that it cannot be imported
    with pytest.raises(ClusterError, match=r"deepfake-lightning\[ray\]"), open_cluster():
        pass


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "10.0.0.1", ":6379", "host:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Ray cluster"), open_cluster(address):
        pass


def test_a_cluster_that_does_not_answer_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    began = time.monotonic()
    fault = f"127.0.0.1:{port} cannot be reached"
    with pytest.raises(ClusterError, match=fault), open_cluster():
        pass
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (["--ray_address", "auto"], "this machine alone works"),
        (["--engine", "ray", "--workers", "0"], "workers is 0"),
        (["--engine", "ray", "--ray_address", "here"], "here is no address"),
        (["--engine", "spark"], "spark"),
    ],
)
def test_flags_that_cannot_work(flags: list[str], fault: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "clip.mp4").touch()
    assert main(["extract", str(tmp_path), "--out", str(tmp_path / "out"), *flags]) == 2
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
