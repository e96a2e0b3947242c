"""``registry sign``, and ``registry verify`` with keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.registry import Registry, register_bundle
from deepfake_lightning.storage import Workspace


@pytest.fixture
def here(crop_bundle: Any, tmp_path: Path) -> list[str]:
    register_bundle(Registry(Workspace(tmp_path / "mlops")), crop_bundle.folder)
    return ["--workspace", str(tmp_path / "mlops")]


def test_signed_and_verified(
    here: list[str], make_key: Any, ask_signed: Any, tmp_path: Path, capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    private, public = make_key("ada", password="correct horse")
    with_key = ["registry", "verify", "--key", str(public), *here]
    assert main(with_key) == 4
    assert "v1.0.0: is not signed" in capsys.readouterr().out
    assert main(["registry", "sign", "v1.0.0", "--key", str(private), *here]) == 2
    assert "DEEPFAKE_SIGNING_PASSWORD" in capsys.readouterr().err
    assert main(["registry", "sign", "v1.0.0", *here]) == 2
    assert "--key PRIVATE.pem" in capsys.readouterr().err
    monkeypatch.setenv("DEEPFAKE_SIGNING_PASSWORD", "correct horse")
    assert main(["registry", "sign", "v1.0.0", "--key", str(private), *here]) == 0
    out = capsys.readouterr().out
    assert "v1.0.0" in out and "configs/signing.yaml" in out and "correct horse" not in out
    assert main([*with_key, "v1.0.0"]) == 0
    assert "all whole, and signed" in capsys.readouterr().out
    assert main(["registry", "verify", "--signed", "true", *here]) == 2
    assert "no key is trusted" in capsys.readouterr().err
    ask_signed(Workspace(tmp_path / "mlops"), public)
    assert main(["registry", "verify", "--signed", "true", "--json", "true", *here]) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
    assert main(["registry", "show", "v1.0.0", "--json", "true", *here]) == 0
    assert len(json.loads(capsys.readouterr().out)["signatures"]) == 1
    assert main(["registry", "verify", "--key", str(make_key("eve")[1]), *here]) == 4
    assert "trusted: eve.pub" in capsys.readouterr().out
