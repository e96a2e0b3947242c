"""``extract`` as a command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.schemas import read_manifest

SMALL = ["--sampling", "even:2", "--size", "48", "--workers", "1"]


@pytest.fixture
def place(portrait_clips: Path, tmp_path: Path, monkeypatch: Any) -> Path:
    """Return a workspace with a few clips where operators put them."""
    for name in ("real/p0.mp4", "fake/p1.mp4", "real/none.mp4", "real/broken.mp4"):
        target = tmp_path / "mlops/data/videos" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, target)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPFAKE_WORKSPACE", raising=False)
    return tmp_path


def test_without_arguments_it_takes_the_workspace(place: Path, capsys: Any) -> None:
    assert main(["extract", *SMALL]) == 0
    shown = capsys.readouterr().out
    assert "mlops/data/images: 4 pictures of 2 files (1 without a face, 1 unreadable)" in shown
    assert "labels: 2 fake, 2 real" in shown
    assert "videos/real/broken.mp4" in shown  # the table of failures
    assert "is not a video" in " ".join(shown.split())
    assert "data show mlops/data/images" in shown
    assert main(["data", "show", "mlops/data/images", "--count", "2"]) == 0
    assert (place / "mlops/evaluation/data.png").stat().st_size > 10_000


def test_what_it_leaves_can_be_trained_on(portrait_clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["extract", str(portrait_clips), "--out", str(out), *SMALL]) == 0
    tiny = ["--model.backbone=test_efficientnet", "--model.pretrained=false",
            "--data.image_size=32", "--data.num_workers=0", "--trainer.max_epochs=1",
            "--trainer.enable_progress_bar=false",
            "--audit_allow=[near_copy]"]  # one person is in all of the clips  # fmt: skip
    flags = [f"--data.root={out}", f"--workspace={tmp_path / 'w'}"]
    assert main(["fit", *tiny, *flags]) == 0
    run = tmp_path / "w/runs/deepfake-detection/v1.0.0"
    assert read_manifest(run / "manifest.parquet").extraction is not None
    best = run / "checkpoints/best.ckpt"
    assert main(["test", "--ckpt_path", str(best), f"--workspace={tmp_path / 'w'}"]) == 0


def test_a_summary_for_scripts(place: Path, capsys: Any) -> None:
    assert main(["extract", *SMALL, "--json", "true"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["files"], record["ok"], record["pictures"]) == (4, 2, 4)
    assert record["pictures_by_label"] == {"fake": 2, "real": 2}


def test_files_without_a_label_are_unknown(place: Path, capsys: Any) -> None:
    clip = place / "fake_clip.mp4"
    shutil.copy(place / "mlops/data/videos/fake/p1.mp4", clip)
    assert main(["extract", str(clip), "--out", "a", *SMALL]) == 0
    assert "labels: 2 unknown (they come from" in capsys.readouterr().out
    assert main(["extract", str(clip), "--out", "b", "--label", "fake", *SMALL]) == 0
    assert "labels: 2 fake" in capsys.readouterr().out


def test_nothing_found_is_an_error(place: Path, capsys: Any) -> None:
    assert main(["extract", "mlops/data/videos/real/none.mp4", "--out", "a", *SMALL]) == 2
    assert "none of 1 files gave a picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (["--sampling", "odd"], "sampling"),
        (["--margin", "0.5"], "margin"),
        (["--quality", "0"], "quality"),
        (["--face_search.min_sise", "3"], "min_size"),
        (["--shard", "4/3"], "shard"),
        (["gone.mp4"], "does not exist"),
    ],
)
def test_mistakes_are_named(place: Path, capsys: Any, flags: list[str], fault: str) -> None:
    assert main(["extract", *flags]) == 2
    error = capsys.readouterr().err
    assert fault in error
    assert len(error.splitlines()) <= 5
    assert "Traceback" not in error
    assert not (place / "mlops/data/images").exists()


def test_interrupted_it_says_how_to_go_on(place: Path, capsys: Any, monkeypatch: Any) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deepfake_lightning.data.extraction.extract", interrupt)
    assert main(["extract", *SMALL]) == 130
    assert "the same command goes on" in capsys.readouterr().out
