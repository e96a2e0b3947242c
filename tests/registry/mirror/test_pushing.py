"""What is damaged on a server is put right; a store in a folder takes the server's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.mirror.place import Names
from deepfake_lightning.registry.mirror.pushing import mirror
from deepfake_lightning.registry.mirror.server import Server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    mlflow = pytest.importorskip("mlflow", reason="the extra 'mlflow' is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)  # where artifacts go
    uri = (tmp_path / "store").as_uri()
    return Server(uri, mlflow.MlflowClient(uri, uri))


@pytest.mark.slow  # mlflow alone takes seconds to be imported
@pytest.mark.filterwarnings("ignore")
def test_what_is_gone_cut_or_damaged_there_is_sent_again(
    registry: Registry, server: Server, tmp_path: Path
) -> None:
    def mirrored(**more: bool) -> bool:
        (done,) = mirror(registry, server, ["v1.0.0"], Names("e", "m"), **more)
        return done.changed

    assert mirrored() and not mirrored()
    (gone,) = (tmp_path / "store").rglob("calibration.json")
    (there,) = (tmp_path / "store").rglob("model.onnx")
    whole = there.read_bytes()
    gone.unlink()
    there.write_bytes(b"cut")
    assert mirrored() and gone.is_file() and there.read_bytes() == whole
    there.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # its length is right
    assert mirrored(resend=True) and there.read_bytes() == whole
