"""``bundle build`` and ``bundle verify`` as commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main


def mistake(capsys: Any, *args: str | Path) -> str:
    assert main(["bundle", *map(str, args)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 5
    return str(shown.err)


def test_built_it_can_be_verified(calib_checkpoint: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "alone" / "bundle"
    out.parent.mkdir()
    assert main(["bundle", "build", str(calib_checkpoint), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert f"{out}: v1.0.0, test_efficientnet" in shown
    assert f"its model card: {out / 'MODEL_CARD.md'}" in shown
    assert f"predict FILE --bundle {out}" in shown
    assert "drawn faces" not in shown
    assert "the default was fitted, for this bundle alone" in shown
    assert "clips: no verdicts, scores alone: the calib split holds no clips" in shown
    assert [path.name for path in out.parent.iterdir()] == ["bundle"]
    assert main(["bundle", "verify", str(out)]) == 0
    shown = capsys.readouterr().out
    assert f"{out}: v1.0.0, whole" in shown
    assert "get the logits they must get" in shown


def test_for_programs(crop_bundle: Any, capsys: Any) -> None:
    assert main(["bundle", "verify", str(crop_bundle.folder), "--json", "true"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert record["bundle"] == str(crop_bundle.folder)
    assert record["golden_difference"] <= 1e-4
    assert (record["version"], len(record["digest"])) == ("v1.0.0", 64)


def test_a_bundle_is_never_built_over_another(
    crop_bundle: Any, tmp_path: Path, capsys: Any
) -> None:
    before = {path: path.read_bytes() for path in crop_bundle.folder.rglob("*") if path.is_file()}
    said = mistake(capsys, "build", crop_bundle.checkpoint, "--out", crop_bundle.folder)
    assert f"{crop_bundle.folder} exists already" in said
    assert "--out" in said
    assert all(path.read_bytes() == data for path, data in before.items())


def test_what_cannot_be_built(crop_bundle: Any, tmp_path: Path, capsys: Any) -> None:
    assert "gone.ckpt" in mistake(capsys, "build", tmp_path / "gone.ckpt")
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    assert "text.ckpt" in mistake(capsys, "build", tmp_path / "text.ckpt")
    elsewhere = tmp_path / "copied.ckpt"
    shutil.copy(crop_bundle.checkpoint, elsewhere)
    said = mistake(capsys, "build", elsewhere, "--out", tmp_path / "bundle")
    assert "what it was trained on is not known" in said and "--run" in said
    assert not (tmp_path / "bundle").exists()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_damage_is_named(crop_bundle: Any, copy_bundle: Any, capsys: Any) -> None:
    folder = copy_bundle(crop_bundle)
    for name in files(folder):
        path = folder / name
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert name in mistake(capsys, "verify", folder)
        path.unlink()
        assert name in mistake(capsys, "verify", folder)
        path.write_bytes(data)
    assert main(["bundle", "verify", str(folder)]) == 0


def test_what_is_no_bundle(tmp_path: Path, capsys: Any) -> None:
    assert f"{tmp_path}/gone" in mistake(capsys, "verify", tmp_path / "gone")
    assert str(tmp_path) in mistake(capsys, "verify", tmp_path)
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file" in mistake(capsys, "verify", tmp_path / "file")


@pytest.mark.parametrize(
    ("command", "words"),
    [("build", ["checkpoint", "--out", "--version", "--run"]), ("verify", ["bundle", "--json"])],
)
def test_help(capsys: Any, command: str, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bundle", command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in [*words, f"example: deepfake-lightning bundle {command}"])
    assert main(["bundle", "--help"]) == 0
    assert f"bundle {command}" in capsys.readouterr().out
