import re

import pytest

from deepfake_lightning.callbacks import TrainingProgress


@pytest.fixture
def lines(make_split_faces, make_data, make_detector, make_trainer, capsys):
    """Train and return what was printed, line by line, and the trainer."""

    def fit(detector=None, counts=None, **options):
        trainer = make_trainer(
            TrainingProgress(), **{"max_epochs": 3, "enable_progress_bar": True, **options}
        )
        trainer.fit(detector or make_detector(), make_data(make_split_faces(counts)))
        return capsys.readouterr().out.splitlines(), trainer

    return fit


def test_a_log_file_has_one_line_at_the_start_and_one_an_epoch(lines):
    printed, trainer = lines()
    assert printed[0] == (
        "test_efficientnet: 99,710 parameters, 99,710 trained · 8 train and 4 val pictures · cpu"
    )
    assert len(printed) == 4
    for epoch, line in enumerate(printed[1:], 1):
        assert line.startswith(f"epoch {epoch}/3  train loss 0.")
        assert re.search(r"val loss \d\.\d{4}  auroc \d\.\d{4}  eer \d\.\d{4}  item auroc", line)
        assert re.search(r"\((\d+m)?\d+s so far, (\d+m)?\d+s left\)$", line)
    assert printed[3].endswith("0s left)")
    assert f"val loss {float(trainer.callback_metrics['val/loss']):.4f}" in printed[3]


def test_an_epoch_without_validation_shows_no_old_figures(lines):
    printed, _ = lines(check_val_every_n_epoch=2)
    assert ["val loss" in line for line in printed[1:]] == [False, True, False]


def test_undefined_metrics_are_left_out(make_detector, lines):
    printed, _ = lines(limit_val_batches=0)
    assert all("val" not in line and "auroc" not in line for line in printed[1:])


def test_what_is_trained_is_counted(make_detector, lines):
    printed, _ = lines(make_detector(freeze_backbone=True), max_epochs=1)
    assert "99,710 parameters, 514 trained" in printed[0]


def test_a_million_parameters_are_rounded(make_detector, lines):
    detector = make_detector()
    detector.more = type(detector.head)(1000, 3500)
    printed, _ = lines(detector, max_epochs=1)
    assert "3.6 M parameters" in printed[0]


def test_clips_are_called_clips(portrait_clips, make_data, make_detector, make_trainer, capsys):
    data = make_data(portrait_clips, sampling="even:1", train_frames=1, group_pattern="(.+)")
    make_trainer(TrainingProgress(), enable_progress_bar=True).fit(make_detector(), data)
    assert re.search(r"\d+ train and \d+ val clips", capsys.readouterr().out)
