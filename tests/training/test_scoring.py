"""``validate`` and ``test``: the figures of the training, in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from deepfake_lightning.errors import CheckpointError, LayoutError, SplitError, UsageError
from deepfake_lightning.schemas import read_predictions
from deepfake_lightning.training.lightning_cli import TrainingCLI
from deepfake_lightning.training.run import fit

Flags = Callable[..., list[str]]


def _report(cli: TrainingCLI) -> Any:
    return cli.evaluation_report


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_validation_figures(trained: Any, tmp_path: Path) -> None:
    best = trained.result.best_checkpoint
    command = [sys.executable, "-m", "deepfake_lightning", "validate", "--ckpt_path", str(best)]
    done = subprocess.run(
        [*command, "--workspace", str(tmp_path), "--trainer.enable_progress_bar", "false"],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "evaluation/reports/deepfake-detection-v1.0.0-best-validate"
    metrics = json.loads((folder / "report.json").read_text())["levels"]["frame"]["metrics"]
    assert metrics["auroc"]["value"] == pytest.approx(trained.result.best_score, abs=1e-6)


def test_test_needs_nothing_but_the_checkpoint(trained: Any, tmp_path: Path) -> None:
    best = trained.result.best_checkpoint
    flags = ["--workspace", str(tmp_path), "--trainer.enable_progress_bar=false"]
    report = _report(TrainingCLI(["test", "--ckpt_path", str(best), *flags]))
    record = json.loads((report.folder / "report.json").read_text())
    rows = read_predictions(report.folder / "predictions.parquet")
    assert record["model"]["path"] == str(best)
    assert record["data"]["looks"] == 1
    assert len(rows) == record["counts"]["frames"] > 0
    expected = roc_auc_score(rows["label"].astype(int), rows["logit"].astype(float))
    found = record["levels"]["frame"]["metrics"]["auroc"]["value"]
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_flag_wins_over_what_the_checkpoint_says(
    trained: Any, tmp_path: Path, write_picture: Any
) -> None:
    other = tmp_path / "others"
    for seed in range(500, 506):
        write_picture(other / "real" / f"{seed}a.jpg", seed=seed)
        write_picture(other / "fake" / f"{seed}b.jpg", seed=seed, fake=True)
    cli = TrainingCLI(
        ["test", "--ckpt_path", str(trained.result.best_checkpoint), "--data.root", str(other),
         "--data.splits", "{test: 1.0}", "--workspace", str(tmp_path),
         "--trainer.enable_progress_bar=false"]
    )  # fmt: skip
    record = json.loads((_report(cli).folder / "report.json").read_text())
    assert record["counts"]["items"] == 12
    assert cli.datamodule.preprocess.size == 32


def test_a_copied_checkpoint_takes_nothing_from_where_it_lies(trained: Any, tmp_path: Path) -> None:
    copy = tmp_path / "models" / "mine.ckpt"
    copy.parent.mkdir()
    copy.write_bytes(trained.result.best_checkpoint.read_bytes())
    (tmp_path / "manifest.parquet").write_text("of something else")
    (tmp_path / "config.yaml").write_text("of: something else")
    cli = TrainingCLI(["test", "--ckpt_path", str(copy), "--workspace", str(tmp_path / "w"),
                       "--trainer.enable_progress_bar=false"])  # fmt: skip
    assert cli.datamodule.load().rows["split"].eq("test").any()
    assert _report(cli).folder is not None


def test_people_it_was_trained_on_are_not_scored(trained: Any, tmp_path: Path) -> None:
    args = ["test", "--ckpt_path", str(trained.result.best_checkpoint), "--workspace",
            str(tmp_path), "--trainer.enable_progress_bar=false"]  # fmt: skip
    with pytest.raises(SplitError, match="trained on"):
        TrainingCLI([*args, "--data.resplit=true", "--data.split_seed=5"])
    assert not (tmp_path / "evaluation").exists()


def test_pictures_it_was_trained_on_are_not_scored_under_another_name(
    trained: Any, tmp_path: Path, faces: Path
) -> None:
    for number, path in enumerate(sorted(faces.rglob("*.jpg"))):
        copy = tmp_path / "renamed" / path.parent.name / f"{number:x}z.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    args = ["test", "--ckpt_path", str(trained.result.best_checkpoint), "--workspace",
            str(tmp_path), "--data.root", str(tmp_path / "renamed")]  # fmt: skip
    with pytest.raises(SplitError, match="pictures of the test split were trained on"):
        TrainingCLI([*args, "--data.splits={test: 1.0}", "--trainer.enable_progress_bar=false"])


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_without_a_checkpoint_nothing_is_scored(verb: str, faces: Path) -> None:
    with pytest.raises(UsageError, match="needs a checkpoint") as caught:
        TrainingCLI([verb, f"--data.root={faces}"])
    assert "--ckpt_path" in str(caught.value)


def test_the_data_are_gone(trained: Any, tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"--data\.root"):
        TrainingCLI(["test", "--ckpt_path", str(trained.result.best_checkpoint),
                     "--data.root", str(tmp_path / "gone")])  # fmt: skip


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _foreign(path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


def _of_another_package(path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(3)}, "hyper_parameters": {"a": 1}}, path)


def _text(path: Path) -> None:
    path.write_text("not a checkpoint")


@pytest.mark.parametrize("spoil", [_truncated, _foreign, _of_another_package, _text])
def test_a_spoilt_checkpoint_is_named(
    spoil: Callable[[Path], None], trained: Any, tmp_path: Path
) -> None:
    path = tmp_path / "spoilt.ckpt"
    path.write_bytes(trained.result.best_checkpoint.read_bytes())
    spoil(path)
    with pytest.raises(CheckpointError, match=r"spoilt\.ckpt"):
        TrainingCLI(["test", "--ckpt_path", str(path)])


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "bomb.ckpt"
    torch.save({"state_dict": {}, "bomb": Bomb()}, path)
    with pytest.raises(CheckpointError, match="run code"):
        TrainingCLI(["test", "--ckpt_path", str(path)])
    assert not (tmp_path / "ran").exists()


def test_scores_do_not_depend_on_workers_or_batches(trained: Any, tmp_path: Path) -> None:
    logits = []
    for flags in (["--data.batch_size=3"], ["--data.num_workers=2"]):
        cli = TrainingCLI(
            ["test", "--ckpt_path", str(trained.result.best_checkpoint), *flags,
             "--workspace", str(tmp_path), "--trainer.enable_progress_bar=false"]
        )  # fmt: skip
        rows = read_predictions(_report(cli).folder / "predictions.parquet")
        logits.append(rows.sort_values("path")["logit"].to_numpy(float))
    np.testing.assert_allclose(*logits, atol=1e-5)


@pytest.mark.slow
def test_pictures_that_come_later_change_no_split(
    tmp_path: Path, make_faces: Callable[..., Path], write_picture: Any, tiny_flags: Flags
) -> None:
    root = make_faces(tmp_path / "faces", people=24)
    more = (f"--data.root={root}", "--trainer.max_epochs=1")
    best = fit(["fit", *tiny_flags(tmp_path, *more)]).best_checkpoint
    quiet = ["--workspace", str(tmp_path), "--trainer.enable_progress_bar=false"]
    before = _report(TrainingCLI(["test", "--ckpt_path", str(best), *quiet]))
    for person in range(100, 110):
        write_picture(root / "real" / f"person{person}.jpg", seed=person)
        write_picture(root / "fake" / f"person{person}.jpg", seed=person, fake=True)
    after = _report(TrainingCLI(["test", "--ckpt_path", str(best), *quiet]))
    assert after.values == before.values


def test_balanced_class_weights_are_those_of_the_training(
    tmp_path: Path, make_faces: Callable[..., Path], tiny_flags: Flags
) -> None:
    root = make_faces(tmp_path / "faces", people=30)
    for path in sorted((root / "fake").iterdir())[::2]:
        path.unlink()
    more = (f"--data.root={root}", "--model.class_weights=balanced", "--trainer.max_epochs=1")
    result = fit(["fit", *tiny_flags(tmp_path, *more)])
    quiet = ["--workspace", str(tmp_path), "--trainer.enable_progress_bar=false"]
    cli = TrainingCLI(["validate", "--ckpt_path", str(result.best_checkpoint), *quiet])
    assert _report(cli).values["loss"] == pytest.approx(result.metrics["val/loss"], abs=1e-6)


def test_each_look_at_a_test_split_is_counted(trained: Any, tmp_path: Path) -> None:
    args = ["test", "--ckpt_path", str(trained.result.best_checkpoint), "--workspace",
            str(tmp_path), "--trainer.enable_progress_bar=false"]  # fmt: skip
    assert [_report(TrainingCLI(args)).looks for _ in range(2)] == [1, 2]
    assert len((tmp_path / "evaluation/looks.jsonl").read_text().splitlines()) == 2
