import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from deepfake_lightning.callbacks import EvaluationReport
from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics import item_labels, item_scores, summary
from deepfake_lightning.schemas import read_predictions
from deepfake_lightning.storage import file_hash


@pytest.fixture
def report(make_detector, make_trainer, make_data, tmp_path):
    """Measure a split of a folder and return the callback, the data and the detector."""

    def measure(root, verb="test", data=None, **options):
        data = data or make_data(root)
        detector = make_detector().eval()
        detector.head.weight.data *= 100
        callback = EvaluationReport(str(tmp_path / "reports"), "run", **options)
        getattr(make_trainer(callback), verb)(detector, data, verbose=False)
        return callback, data, detector

    return measure


def _record(callback):
    return json.loads((callback.folder / "report.json").read_text(encoding="utf-8"))


def _values(record, level):
    return {name: one["value"] for name, one in record["levels"][level]["metrics"].items()}


@pytest.mark.parametrize(("verb", "split"), [("test", "test"), ("validate", "val")])
def test_metrics_and_predictions_are_those_of_the_network(make_split_faces, report, verb, split):
    callback, data, detector = report(make_split_faces({"train": 2, "val": 5, "test": 6}, 3), verb)
    table = read_predictions(callback.folder / "predictions.parquet")
    rows = data.manifest.rows
    expected = rows[rows["split"] == split]
    assert table["path"].tolist() == expected["path"].tolist()
    assert table["frame"].tolist() == expected["frame"].tolist()
    assert table["label"].tolist() == expected["label"].tolist()
    assert set(table["status"]) == {"ok"}
    with torch.inference_mode():
        loader = data.eval_dataloader(split)
        batches = [data.on_after_batch_transfer(batch, 0) for batch in loader]
        logits = torch.cat([detector(batch["image"]) for batch in batches])
    logits = (logits[:, 1] - logits[:, 0]).numpy()
    assert table["logit"].to_numpy(float) == pytest.approx(logits, abs=1e-4)

    record = _record(callback)
    labels = table["label"].to_numpy(int)
    assert (record["data"]["split"], record["counts"]["frames"]) == (split, len(table))
    assert record["counts"]["unscored"] == {}
    frames = summary(logits, labels)
    assert _values(record, "frame") == pytest.approx(frames, abs=1e-4)
    clips = table["video_id"].to_numpy(str)
    _, scores = item_scores(logits, clips, np.zeros(len(clips)), table["frame"].to_numpy(int))
    items = summary(scores, item_labels(labels, clips))
    assert _values(record, "item") == pytest.approx(items, abs=1e-4)
    for name, value in _values(record, "item").items():
        assert callback.values[f"item_{name}"] == value
        assert callback.values[name] == _values(record, "frame")[name]
    files = {path.name for path in callback.folder.iterdir()}
    assert files == {"report.html", "report.md", "report.json", "predictions.parquet"}


def test_undefined_is_null_and_not_nan(make_split_faces, report):
    callback, _, _ = report(make_split_faces({"train": 2, "val": 2, "test": 3}), version="v3")
    labelled = _values(_record(callback), "item")
    root = make_split_faces({"train": 2, "val": 2})
    index = root / "index.csv"
    text = index.read_text(encoding="utf-8")
    for clip in range(3):
        text += f"test_{clip}_0.png,0,test_{clip},test_{clip},0,test\n"
    index.write_text(text, encoding="utf-8")
    one_class, _, _ = report(root, version="v3")
    metrics = _values(_record(one_class), "item")
    assert labelled["auroc"] is not None
    assert metrics["auroc"] is metrics["eer"] is metrics["recall"] is None
    assert metrics["log_loss"] > 0
    assert metrics.keys() == labelled.keys()
    table = read_predictions(one_class.folder / "predictions.parquet")
    assert set(table["version"]) == {"v3"}


def test_without_labels_there_are_scores_and_no_metric(make_split_faces, report):
    root = make_split_faces({"train": 2, "val": 2, "test": 3})
    index = root / "index.csv"
    lines = index.read_text(encoding="utf-8").splitlines()
    hidden = [
        ",".join([line.split(",")[0], "", *line.split(",")[2:]]) if "test_" in line else line
        for line in lines
    ]
    index.write_text("\n".join(hidden) + "\n", encoding="utf-8")
    callback, _, _ = report(root)
    record = _record(callback)
    assert set(_values(record, "item").values()) == {None}
    assert record["counts"]["unlabelled"] == 3
    table = read_predictions(callback.folder / "predictions.parquet")
    assert table["label"].isna().all()
    assert table["logit"].notna().all()


def test_a_picture_that_cannot_be_read_is_a_row(make_split_faces, make_data, report):
    root = make_split_faces({"train": 4, "val": 4, "test": 5})
    (root / "test_3_0.png").write_bytes(b"no picture")
    (root / "train_1_0.png").write_bytes(b"no picture")
    data = make_data(root)
    data.setup("fit")  # the same data may have been trained on before
    callback, _, _ = report(root, data=data)
    counts = _record(callback)["counts"]
    assert (counts["frames"], counts["unscored"]) == (4, {"unreadable": {"fake": 1}})
    assert "test_3_0.png" in counts["examples"]["unreadable"][0]
    table = read_predictions(callback.folder / "predictions.parquet").set_index("path")
    assert len(table) == 5
    lost = table.loc["test_3_0.png"]
    assert (lost["status"], lost["label"], lost["video_id"]) == ("unreadable", 1, "test_3")
    assert np.isnan(float(table["logit"].astype("float64").loc["test_3_0.png"]))
    assert (table.drop("test_3_0.png")["status"] == "ok").all()


def test_a_second_report_leaves_the_first_as_it_is(make_split_faces, report):
    root = make_split_faces()
    first, _, _ = report(root, version="one")
    before = hashlib.sha256((first.folder / "report.json").read_bytes()).hexdigest()
    second, _, _ = report(root, version="two")
    assert (first.folder.name, second.folder.name) == ("run", "run_2")
    assert hashlib.sha256((first.folder / "report.json").read_bytes()).hexdigest() == before
    assert _record(second)["name"] == "two"


def test_a_training_reports_the_validation_that_chose_the_checkpoint(
    make_split_faces, make_data, make_detector, tmp_path
):
    keeper = ModelCheckpoint(
        tmp_path / "kept", "best", monitor="val/auroc", mode="max", enable_version_counter=False
    )
    callback = EvaluationReport(str(tmp_path / "reports"), "run", "v1")
    seen = []

    class Watch(Callback):
        def on_validation_end(self, trainer, module):
            if not trainer.sanity_checking:
                scores = module.epoch_scores["val"]
                value = summary(scores.logit, scores.label)["auroc"]
                seen.append((value, scores.logit.tolist()))

    trainer = Trainer(
        max_epochs=4, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[callback, keeper, Watch()],
    )  # fmt: skip
    detector = make_detector(lr=0.05)
    trainer.fit(detector, make_data(make_split_faces({"train": 4, "val": 6}, 2)))
    assert len(seen) == 4
    best = max(range(4), key=lambda epoch: (seen[epoch][0], -epoch))
    table = read_predictions(callback.folder / "predictions.parquet")
    assert table["logit"].tolist() == seen[best][1]
    record = _record(callback)
    assert _values(record, "frame")["auroc"] == pytest.approx(float(keeper.best_model_score))
    assert (record["name"], record["data"]["split"]) == ("v1", "val")
    assert record["model"]["path"] == keeper.best_model_path
    assert record["model"]["digest"] == file_hash(Path(keeper.best_model_path))
    assert any("chose the checkpoint" in note for note in record["notes"])


def test_a_calibration_of_the_checkpoint_before_is_not_taken(
    make_split_faces, make_data, make_detector, tmp_path
):
    keeper = ModelCheckpoint(
        tmp_path / "kept", "best", monitor="val/auroc", mode="max", enable_version_counter=False
    )
    # Resumed after `calibrate`: the checkpoint is written anew, and the record stays.
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/best.calibration.json").write_text("of another checkpoint")
    callback = EvaluationReport(str(tmp_path / "reports"), "run", "v1")
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[callback, keeper],
    )  # fmt: skip
    trainer.fit(make_detector(), make_data(make_split_faces({"train": 4, "val": 6}, 2)))
    assert _record(callback)["calibration"]["image"] is None


def test_a_training_without_a_best_checkpoint_has_no_report(
    make_split_faces, make_data, make_detector, make_trainer, tmp_path
):
    callback = EvaluationReport(str(tmp_path / "reports"), "run")
    make_trainer(callback).fit(make_detector(), make_data(make_split_faces()))
    assert callback.folder is None
    assert not (tmp_path / "reports").exists()


def test_a_report_needs_a_manifest(make_detector, make_trainer, tmp_path):
    sample = {name: torch.tensor(0) for name in ("label", "row", "track", "frame")}
    loader = DataLoader([{"image": torch.zeros(3, 32, 32), **sample}])
    trainer = make_trainer(EvaluationReport(str(tmp_path), "run"))
    with pytest.raises(UsageError, match="EvaluationReport needs a DeepfakeDataModule"):
        trainer.test(make_detector(), loader, verbose=False)


def test_clips_are_reported_by_track_and_those_without_a_score_by_status(
    portrait_clips, make_data, report, tmp_path
):
    rows = [("real/p1.mp4", 0), ("fake/p1.mp4", 1), ("fake/two.mp4", 1), ("real/none.mp4", 0),
            ("real/broken.mp4", 0)]  # fmt: skip
    root = tmp_path / "clips"
    root.mkdir()
    for name in ("real", "fake"):
        (root / name).symlink_to(portrait_clips / name)
    index = "".join(f"{path},{label},test\n" for path, label in rows)
    (root / "index.csv").write_text("path,label,split\n" + index)
    callback, _, _ = report(root, data=make_data(root, sampling="even:3"))
    record = _record(callback)
    counts = record["counts"]
    assert (counts["frames"], counts["tracks"], counts["items"]) == (12, 4, 5)
    assert counts["unscored"] == {"no_face": {"real": 1}, "unreadable": {"real": 1}}
    assert callback.unscored == {"no_face": 1, "unreadable": 1}
    table = read_predictions(callback.folder / "predictions.parquet")
    two = table[table["path"] == "fake/two.mp4"]
    assert two.groupby("track_id")["frame"].agg(list).to_dict() == {0: [2, 6, 10], 1: [2, 6, 10]}
    assert table["video_id"].nunique() == 5
    status = table.set_index("path")["status"].to_dict()
    assert (status["real/none.mp4"], status["real/broken.mp4"]) == ("no_face", "unreadable")
    logits = table[table["status"] == "ok"]
    _, scores = item_scores(
        logits["logit"].to_numpy(float), logits["video_id"].to_numpy(str),
        logits["track_id"].to_numpy(int), logits["frame"].to_numpy(int),
    )  # fmt: skip
    assert _values(record, "item")["auroc"] == summary(scores, np.array([1, 1, 0]))["auroc"]
