"""Items, class weights, learning rates and checkpoints of whole trainings."""

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import (
    EMAWeightAveraging,
    LearningRateMonitor,
    ModelCheckpoint,
    WeightAveraging,
)
from safetensors.torch import save_file

from deepfake_lightning.metrics import item_labels, item_scores, summary
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.schemas import Aggregation, Preprocess

WINDOW = 2


class Clips(LightningDataModule):
    """Clips of several frames; a row each."""

    def __init__(self, samples, load, frames):
        super().__init__()
        self.samples, self.load, self.frames = samples, load, frames
        self.preprocess = Preprocess(size=32, aggregation=Aggregation(window=WINDOW))

    def items(self):
        return np.arange(len(self.samples)) // self.frames

    def class_counts(self, split):
        return np.bincount([int(sample["label"]) for sample in self.samples], minlength=2)

    def train_dataloader(self):
        return self.load(self.samples)

    def val_dataloader(self):
        return self.load(self.samples)

    def test_dataloader(self):
        return self.load(self.samples)


def test_item_metrics_are_of_clips(make_detector, make_pictures, make_trainer, load):
    clips = Clips(make_pictures([0, 1, 0, 1, 1, 0], frames=4, contrast=0.4), load, 4)
    detector = make_detector()
    detector.head.weight.data *= 100  # so that an untrained network is sure of something
    logged = make_trainer().test(detector, clips, verbose=False)[0]
    with torch.inference_mode():
        logits = detector.eval()(torch.stack([sample["image"] for sample in clips.samples])).numpy()
    logits = (logits[:, 1] - logits[:, 0]).astype(np.float64)
    frames = np.tile(np.arange(4), 6)
    _, of_clips = item_scores(logits, clips.items(), np.full(24, -1), frames, window=WINDOW)
    best_pairs = [max(np.convolve(clip, [0.5, 0.5], "valid")) for clip in logits.reshape(6, 4)]
    assert of_clips == pytest.approx(best_pairs)
    labels = np.asarray([int(sample["label"]) for sample in clips.samples])
    expected = summary(of_clips, item_labels(labels, clips.items()))
    for name, value in expected.items():
        assert logged.get(f"test/item_{name}") == pytest.approx(value, abs=1e-4), name
    assert logged["test/item_log_loss"] != pytest.approx(logged["test/log_loss"], abs=1e-4)


def test_balanced_weights_make_both_classes_weigh_the_same(
    make_detector, make_pictures, make_trainer, load
):
    clips = Clips(make_pictures([0, 0, 0, 1]), load, 1)
    detector = make_detector(class_weights="balanced", focal_gamma=0.0)
    make_trainer().fit(detector, clips)
    assert detector.loss.weight.tolist() == pytest.approx([4 / 6, 4 / 2])
    restored = make_detector(class_weights="none")
    restored.load_state_dict(detector.state_dict())  # weights are of a data set, not of a network


@pytest.mark.parametrize("limits", [{"max_epochs": 4}, {"max_epochs": 100, "max_steps": 16}])
def test_the_rate_rises_for_the_epochs_it_was_told_to(
    make_detector, make_pictures, make_trainer, load, tmp_path, limits
):
    rates = []

    class Recorder(LearningRateMonitor):
        def on_train_batch_start(self, trainer, *_):
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    detector = make_detector("test_resnet", lr=1.0, optimizer="sgd", warmup_epochs=1.5)
    detector.requires_grad_(False).head.requires_grad_(True)
    samples = load(make_pictures([0, 1] * 4), 2)
    make_trainer(callbacks=[Recorder()], logger=True, **limits).fit(detector, samples)
    assert len(rates) == 16
    assert rates[:7] == pytest.approx([k / 7 for k in range(1, 8)])
    assert rates[-1] == pytest.approx(0.5 * (1 + np.cos(np.pi * 9 / 10)))


def _checkpoint(tmp_path, **options):
    return ModelCheckpoint(tmp_path, "best", monitor="val/loss", **options)


def _validated(trainer, detector, samples):
    return trainer.validate(detector, samples, verbose=False)[0]


@pytest.mark.parametrize(
    "averaging",
    [[], [WeightAveraging()], [EMAWeightAveraging(decay=0.5, update_starting_at_step=6)]],
    ids=["plain", "mean", "ema"],
)
def test_the_best_checkpoint_measures_as_it_did_when_it_was_saved(
    make_detector, make_pictures, make_trainer, load, tmp_path, averaging
):
    checkpoint = _checkpoint(tmp_path)
    detector = make_detector(class_weights="balanced")
    clips = Clips(make_pictures([0, 1] * 8, contrast=0.5), load, 1)
    trainer = make_trainer(
        max_epochs=3, enable_checkpointing=True, callbacks=[*averaging, checkpoint]
    )
    trainer.fit(detector, clips)
    content = torch.load(checkpoint.best_model_path, weights_only=True)
    assert ("current_model_state" in content) == bool(averaging)
    restored = DeepfakeDetector.load_from_checkpoint(checkpoint.best_model_path, weights_only=True)
    restored.loss.weight = detector.loss.weight
    measured = _validated(make_trainer(), restored, clips)
    assert measured["val/loss"] == pytest.approx(float(checkpoint.best_model_score), abs=1e-6)
    if content["epoch"] == 2:
        logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k in measured}
        assert measured == pytest.approx(logged, abs=1e-6)


def test_averaged_weights_are_measured_and_kept(make_detector, make_pictures, make_trainer, load):
    detector, samples = make_detector(), load(make_pictures([0, 1] * 8))
    trainer = make_trainer(max_epochs=2, callbacks=[WeightAveraging()])
    trainer.fit(detector, samples, samples)
    logged = float(trainer.callback_metrics["val/loss"])
    assert _validated(make_trainer(), detector, samples)["val/loss"] == pytest.approx(logged, 1e-6)


def test_training_on_keeps_the_weights_of_a_checkpoint(
    make_detector, make_pictures, make_trainer, load, tmp_path
):
    """Pretrained weights must not overwrite what a checkpoint or a state dict brought."""
    pretrained = tmp_path / "pretrained.safetensors"
    save_file(make_detector(channels_last=False).backbone.state_dict(), pretrained)
    samples = load(make_pictures([0, 1] * 4))
    detector = make_detector(pretrained=True, weights=str(pretrained))
    trainer = make_trainer(max_epochs=2)
    trainer.fit(detector, samples)
    trainer.save_checkpoint(tmp_path / "trained.ckpt")
    for way in ("checkpoint", "state dict"):
        if way == "checkpoint":
            resumed = DeepfakeDetector.load_from_checkpoint(
                tmp_path / "trained.ckpt", weights_only=True
            )
        else:
            resumed = make_detector(pretrained=True, weights=str(pretrained))
            resumed.load_state_dict(detector.state_dict())
        make_trainer(limit_train_batches=0).fit(resumed, samples)
        for name, value in detector.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[name]), (way, name)


def test_a_training_from_scratch_starts_from_pretrained_weights_once(
    make_detector, make_pictures, make_trainer, load, tmp_path
):
    own = make_detector(channels_last=False).backbone.state_dict()
    state = {name: torch.full_like(tensor, 3) for name, tensor in own.items()}
    save_file(state, tmp_path / "threes.safetensors")
    detector = make_detector(
        pretrained=True, weights=str(tmp_path / "threes.safetensors"), freeze_backbone=True
    )
    samples = load(make_pictures([0, 1] * 4))
    assert not torch.equal(detector.backbone.conv_stem.weight, state["conv_stem.weight"])
    make_trainer(limit_train_batches=1).fit(detector, samples)
    assert torch.equal(detector.backbone.conv_stem.weight, state["conv_stem.weight"])
    with torch.no_grad():
        detector.backbone.conv_stem.weight.fill_(1)
    make_trainer(limit_train_batches=1).fit(detector, samples)
    assert (detector.backbone.conv_stem.weight == 1).all(), "a second fit goes on"
