"""``registry ...``: what the commands print, and how they end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace, write_json


@pytest.fixture
def place(tmp_path: Path, crop_bundle: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace, found by its default name, with v1.0.0 and v1.1.0."""
    monkeypatch.chdir(tmp_path)
    registry = Registry(Workspace(tmp_path / "mlops"))
    for version, parent in (("v1.0.0", None), ("v1.1.0", "v1.0.0")):
        register_bundle(
            registry, crop_bundle.folder, Wish(version, reason=f"why {version}", by="ada",
                                               parent=parent)
        )  # fmt: skip
    return tmp_path / "mlops"


def shown(capsys: Any, *args: str, code: int = 0) -> str:
    """Return what a command prints, its words one space apart."""
    capsys.readouterr()
    assert main(["registry", *args]) == code
    captured = capsys.readouterr()
    return " ".join((captured.err if code == 2 else captured.out).split())


def loaded(capsys: Any, *args: str) -> Any:
    capsys.readouterr()
    assert main(["registry", *args, "--json", "true"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_empty_registry_says_how_to_begin(tmp_path: Path, capsys: Any) -> None:
    said = shown(capsys, "list", "--workspace", str(tmp_path))
    assert "no version is registered" in said
    assert "registry register --ckpt_path" in said
    assert list(tmp_path.iterdir()) == []
    assert loaded(capsys, "list", "--workspace", str(tmp_path)) == {"versions": []}


def test_list_shows_the_newest_first_and_where_it_serves(place: Path, capsys: Any) -> None:
    environment = place / "deployment/config/production.json"
    environment.parent.mkdir(parents=True)
    environment.write_text('{"schema": 1, "serving": [{"version": "v1.0.0", "share": 1.0}]}')
    said = shown(capsys, "list")
    assert said.index("v1.1.0") < said.index("v1.0.0")
    assert "v1.0.0 production not measured" in said
    assert "ada: why v1.0.0" in said
    first = loaded(capsys, "list")["versions"][0]
    assert (first["registration"]["version"], first["serves"]) == ("v1.0.0", ["production"])


def test_show_is_the_card_and_who_registered_it(place: Path, capsys: Any) -> None:
    said = shown(capsys, "show", "latest")
    assert "v1.1.0: a deepfake detector" in said
    assert "Prohibited use" in said
    assert "by ada: why v1.1.0" in said
    assert "parent: v1.0.0" in said
    assert "predict FILE --version v1.1.0" in said
    record = loaded(capsys, "show", "v1.1.0")
    assert record["folder"].endswith("mlops/registry/models/v1.1.0")
    assert record["measured"] is None and record["robustness"] is None
    assert "robustness: not measured: deepfake-lightning evaluate v1.1.0 --robustness true" in said


def test_diff_names_what_differs_and_what_to_ask_next(place: Path, capsys: Any) -> None:
    said = shown(capsys, "diff", "v1.0.0", "v1.1.0")
    assert "configuration, data, preprocessing, calibration and code are equal" in said
    assert "compare v1.0.0 v1.1.0" in said
    assert loaded(capsys, "diff", "v1.0.0", "v1.1.0")["differences"] == []


def test_figures_of_a_measured_version(released: Any, capsys: Any) -> None:
    here = ["--workspace", str(released.workspace)]
    entry = loaded(capsys, "list", *here)["versions"][0]
    auroc = entry["metrics"]["auroc"]
    said = shown(capsys, "list", *here)
    assert f"{auroc['value']:.3f} ({auroc['low']:.3f} to {auroc['high']:.3f})" in said
    measured = loaded(capsys, "show", "v1.0.0", *here)["measured"]
    assert measured["metrics"]["item"]["auroc"] == auroc
    assert measured["real"] + measured["fake"] == entry["items"]


def test_register_takes_a_bundle_and_says_what_is_next(
    place: Path, crop_bundle: Any, capsys: Any
) -> None:
    bundle = str(crop_bundle.folder)
    said = shown(capsys, "register", "--bundle", bundle, "--bump", "patch", "--reason", "again")
    assert "registered as v1.1.1: mlops/registry/models/v1.1.1" in said
    assert "registry show v1.1.1" in said
    record = loaded(capsys, "register", "--bundle", bundle, "--version", "2.0.0-rc.1")
    assert record["registration"]["version"] == "v2.0.0-rc.1"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["register"], "no detector is named"),
        (["register", "--bundle", "a", "--ckpt_path", "b"], "name two detectors"),
        (["register", "--bundle", "nowhere"], "nowhere is not a bundle"),
        (["register", "--ckpt_path", "none.ckpt", "--version", "v1.0.0"], "registered already"),
        (["register", "--ckpt_path", "none.ckpt"], "none.ckpt"),
        (["register", "--bundle", "b", "--bump", "large"], "bump"),
        (["show", "v9.0.0"], "v1.0.0, v1.1.0"),
        (["show", "v1"], "is no version"),
        (["show", "production"], "nothing is deployed in production"),
        (["delete", "v1.1.0"], "for a reason"),
        (["delete", "v3.0.0", "--reason", "x"], "is not registered"),
        (["verify", "v1.0.0", "--repair", "true"], "name none"),
        (["export", "v1.0.0", "--out", "mlops"], "exists already"),
        (["export", "v1.0.0", "--out", "v1.zip"], "are not written"),
        (["diff", "v1.0.0"], "second"),
        (["lst"], "registry list"),
    ],
)
def test_a_users_mistake_exits_2_and_is_explained(
    place: Path, capsys: Any, args: list[str], said: str
) -> None:
    assert said in shown(capsys, *args, code=2)


def test_a_version_leaves_and_enters_another_workspace(place: Path, capsys: Any) -> None:
    digest = loaded(capsys, "show", "v1.0.0")["digest"]
    assert digest in shown(capsys, "export", "v1.0.0")
    shutil.unpack_archive("v1.0.0.tar.gz", "there", filter="data")
    record = loaded(capsys, "register", "--bundle", "there/v1.0.0", "--workspace", "other")
    assert (record["registration"]["version"], record["digest"]) == ("v1.0.0", digest)


def test_verify_exits_4_where_something_is_not_what_it_was(place: Path, capsys: Any) -> None:
    assert "2 versions, all whole" in shown(capsys, "verify")
    (place / "registry/models/v1.0.0/model.onnx").write_bytes(b"x")
    said = shown(capsys, "verify", code=4)
    assert "model.onnx is damaged" in said
    assert "2 versions: 1 fault" in said
    assert "v1.1.0" not in said
    assert "1 version, all whole" in shown(capsys, "verify", "v1.1.0")


def test_repair_says_what_it_did(place: Path, capsys: Any) -> None:
    (place / "registry/metadata.json").write_text("{")
    assert "--repair true" in shown(capsys, "list", code=2)
    said = shown(capsys, "verify", "--repair", "true")
    assert "repaired: metadata.json could not be read" in said
    assert "2 versions, all whole" in said


def test_delete_and_history(place: Path, capsys: Any) -> None:
    assert "v1.1.0 is deleted" in shown(capsys, "delete", "v1.1.0", "--reason", "a mistake")
    said = shown(capsys, "history", "v1.1.0")
    assert "register v1.1.0 ada: why v1.1.0" in said
    assert "a mistake" in said
    assert "v1.0.0" not in said
    events = loaded(capsys, "history")["history"]
    assert [one["event"] for one in events] == ["register", "register", "delete"]
    assert "nothing was ever registered as v3.0.0" in shown(capsys, "history", "v3.0.0")


def test_history_tells_what_served_and_verify_what_was_changed(place: Path, capsys: Any) -> None:
    production = Environment(Workspace(place), "production")
    write_json(production.path, whole("v1.0.0").model_dump(mode="json", by_alias=True))
    production.change(production.record(), whole("v1.1.0"), Act("deploy", "better", "ada"))
    said = shown(capsys, "history", "--env", "production", "--verify", "true")
    assert "deploy: production v1.1.0 ada: better" in said
    assert "2 changes of what serves, all whole" in said
    assert "register" not in said
    assert len(loaded(capsys, "history", "v1.1.0")["deployments"]) == 1
    record = place / "deployment/history.jsonl"
    record.write_text(record.read_text().replace("better", "worse"))
    said = shown(capsys, "history", "--verify", "true", code=4)
    assert "record 2 (deploy, production" in said
    assert "was changed after it was written" in said


def test_text_of_others_moves_no_cursor(place: Path, crop_bundle: Any, capsys: Any) -> None:
    register_bundle(
        Registry(Workspace(place)), crop_bundle.folder,
        Wish("v3.0.0", reason="[red]ok\x1b[2J\nsecond line", by="eve"),
    )  # fmt: skip
    for command in (["list"], ["history"], ["show", "v3.0.0"]):
        capsys.readouterr()
        assert main(["registry", *command]) == 0
        said = capsys.readouterr().out
        assert "\x1b[2J" not in said
        assert "[red]ok" in said


def test_versions_are_listed_without_pytorch(place: Path) -> None:
    code = (
        "import sys; from deepfake_lightning.cli import main; "
        "codes = [main(['registry', *words]) for words in (['list'], ['verify'], ['show', "
        "'v1.0.0'], ['history'])]; sys.exit(any(codes) or 'torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=place.parent)
