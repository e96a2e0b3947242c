"""``data demo`` as a command."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.schemas import read_manifest


@pytest.fixture(scope="module")
def shown() -> io.StringIO:
    """Return what the command that draws ``demo`` printed."""
    return io.StringIO()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, shown: io.StringIO) -> Path:
    out = tmp_path_factory.mktemp("demo") / "set"
    with redirect_stdout(shown):
        small = ["--identities", "8", "--clips", "1"]
        assert main(["data", "demo", "--out", str(out), *small]) == 0
    return out


def test_the_manifest_is_whole(demo: Path) -> None:
    manifest = read_manifest(demo / "manifest.csv")
    assert set(manifest.rows["label"]) == {0, 1}
    assert all((demo / path).is_file() for path in manifest.rows["path"])
    assert {path.rpartition(".")[2] for path in manifest.rows["path"]} == {"mp4"}


def test_it_says_what_it_does_not_prove(demo: Path, shown: io.StringIO) -> None:
    assert "nothing about real deepfakes" in shown.getvalue()
    assert f"extract {demo} --out {demo}_faces" in shown.getvalue()


def test_an_existing_folder_is_left_alone(demo: Path, capsys: Any) -> None:
    before = sorted(demo.rglob("*"))
    assert main(["data", "demo", "--out", str(demo)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert sorted(demo.rglob("*")) == before


def test_a_refused_one_leaves_nothing(tmp_path: Path, capsys: Any) -> None:
    assert main(["data", "demo", "--out", str(tmp_path / "d"), "--identities", "3"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(capsys: Any) -> None:
    assert main(["data", "demo", "--out", "/proc/nowhere/demo"]) == 1
    error = capsys.readouterr().err
    assert "/proc/nowhere/demo" in error
    assert "Traceback" not in error
