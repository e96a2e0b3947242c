import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from deepfake_lightning.callbacks import EarlyStopping
from deepfake_lightning.errors import UndefinedMetricError


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    keys = {"track": torch.tensor(-1), "frame": torch.tensor(-1)}
    return [
        {
            "image": torch.randn(3, 32, 32, generator=generator),
            "label": torch.tensor(row % 2),
            "row": torch.tensor(row),
            **keys,
        }
        for row in range(8)
    ]


@pytest.fixture
def frozen(make_detector):
    """Return a detector that never improves."""
    return make_detector(lr=0.0, optimizer="sgd", freeze_backbone=True)


def _loader(samples):
    return DataLoader(samples, batch_size=4)


def test_an_unknown_metric_is_refused_before_the_first_step(make_trainer, frozen, samples):
    trainer = make_trainer(EarlyStopping("val/aurok", mode="max"))
    with pytest.raises(
        UndefinedMetricError, match=r"early_stopping\.monitor is 'val/aurok'"
    ) as error:
        trainer.fit(frozen, _loader(samples), _loader(samples))
    assert "val/auroc" in error.value.next_step
    assert trainer.global_step == 0


def test_an_undefined_metric_is_an_error_and_no_early_end(make_trainer, frozen, samples):
    reals = [sample for sample in samples if sample["label"] == 0]
    trainer = make_trainer(EarlyStopping("val/auroc", mode="max"), max_epochs=3)
    with pytest.raises(
        UndefinedMetricError, match=r"val/auroc is undefined after epoch 1"
    ) as error:
        trainer.fit(frozen, _loader(samples), _loader(reals))
    assert "one class" in error.value.why


def test_patience_ends_a_training_and_the_reason_is_kept(make_trainer, frozen, samples):
    stopper = EarlyStopping("val/loss", patience=2)
    trainer = make_trainer(stopper, max_epochs=10)
    trainer.fit(frozen, _loader(samples), _loader(samples))
    assert trainer.current_epoch == 3  # the first sets the mark, two more do not improve on it
    assert "val/loss did not improve in the last 2" in stopper.stopping_reason_message


def test_a_diverged_loss_is_an_error(make_trainer, make_detector, samples):
    detector = make_detector()

    class Diverge(Callback):
        def on_train_batch_end(self, trainer, model, *_):
            if trainer.current_epoch == 1:
                torch.nn.init.constant_(model.head.weight, float("nan"))

    trainer = make_trainer(EarlyStopping("val/loss"), Diverge(), max_epochs=5)
    with pytest.raises(UndefinedMetricError, match="epoch 2") as error:
        trainer.fit(detector, _loader(samples), _loader(samples))
    assert "model.lr" in error.value.next_step


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_is_an_error(make_trainer, frozen, samples, value):
    class Break(Callback):
        def on_validation_epoch_end(self, trainer, model):
            model.evaluate = lambda scores: {"loss": value}

    trainer = make_trainer(EarlyStopping("val/loss"), Break(), max_epochs=5)
    with pytest.raises(UndefinedMetricError, match=f"val/loss is {value} after epoch 1"):
        trainer.fit(frozen, _loader(samples), _loader(samples))


def test_a_training_metric_is_looked_at_when_it_is_there(make_trainer, frozen, samples):
    stopper = EarlyStopping("train/auroc", mode="max", patience=1)
    trainer = make_trainer(stopper, max_epochs=4, check_val_every_n_epoch=2)
    trainer.fit(frozen, _loader(samples), _loader(samples))
    assert stopper.stopping_reason_message


def test_a_resumed_training_takes_the_patience_it_is_given(
    make_trainer, make_detector, samples, tmp_path
):
    def fit(patience, epochs, path=None):
        stopper = EarlyStopping("val/loss", patience=patience)
        keeper = ModelCheckpoint(tmp_path, "last")
        trainer = make_trainer(stopper, keeper, max_epochs=epochs, enable_checkpointing=True)
        detector = make_detector(lr=0.0, optimizer="sgd", freeze_backbone=True)
        trainer.fit(detector, _loader(samples), _loader(samples), ckpt_path=path)
        return stopper, trainer

    first, trainer = fit(1, 9)
    assert (trainer.current_epoch, bool(first.stopping_reason_message)) == (2, True)
    trainer.save_checkpoint(tmp_path / "stopped.ckpt")
    second, trainer = fit(10, 4, tmp_path / "stopped.ckpt")
    assert second.patience == 10
    assert second.stopping_reason_message is None
    assert trainer.current_epoch == 4
    assert second.wait_count == 3  # counted on from where it was
