import signal
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import WeightAveraging

from deepfake_lightning.callbacks import EarlyStopping, Interruption


class Press(Callback):
    """Send signals to this very process in a hook of a given step."""

    def __init__(self, hook, step, number=signal.SIGINT, times=1):
        self.step, self.number, self.times = step, number, times
        self.after = []
        setattr(self, hook, self._press)

    def _press(self, trainer, *_):
        if trainer.global_step == self.step and self.times:
            times, self.times = self.times, 0
            for _ in range(times):
                signal.raise_signal(self.number)
            self.after.append("went on")


@pytest.fixture(autouse=True)
def handlers():
    """Give each test the handlers of a fresh process, and put back what there was."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def fit(make_split_faces, make_data, make_detector, make_trainer):
    """Train 3 epochs of 4 steps; return the trainer and whether it was interrupted."""

    def run(*callbacks, path=None):
        trainer = make_trainer(*callbacks, max_epochs=3)
        data = make_data(make_split_faces({"train": 8, "val": 4}), batch_size=2)
        try:
            trainer.fit(make_detector(), data, ckpt_path=path, weights_only=True)
        except SystemExit:
            return trainer, True
        return trainer, False

    return run


def _saved(interruption):
    return torch.load(interruption.saved, weights_only=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_training_at_a_whole_step(fit, number):
    interruption, press = Interruption(), Press("on_before_optimizer_step", 5, number)
    trainer, interrupted = fit(press, interruption)
    assert interrupted
    assert press.after == ["went on"], "the step was finished"
    assert interruption.saved == Path(trainer.log_dir, "checkpoints", "last.ckpt")
    assert _saved(interruption)["global_step"] == 6
    steps = {int(s["step"]) for s in _saved(interruption)["optimizer_states"][0]["state"].values()}
    assert steps == {6}


@pytest.mark.parametrize(
    ("hook", "step", "saved"),
    [
        ("on_train_batch_start", 6, 7),
        ("on_train_batch_start", 7, 8),  # the last of its epoch
        ("on_validation_batch_start", 8, 8),
    ],
)
def test_a_resumed_training_has_as_many_steps_as_an_uninterrupted_one(fit, hook, step, saved):
    interruption = Interruption()
    assert fit(Press(hook, step), EarlyStopping("val/loss"), interruption)[1]
    assert _saved(interruption)["global_step"] == saved
    trainer, interrupted = fit(EarlyStopping("val/loss"), Interruption(), path=interruption.saved)
    assert not interrupted
    assert (trainer.global_step, trainer.current_epoch) == (12, 3)
    assert "val/loss" in trainer.callback_metrics


def test_a_second_signal_interrupts_at_once(fit):
    interruption, press = Interruption(), Press("on_train_batch_start", 5, times=2)
    _, interrupted = fit(press, interruption)
    assert interrupted
    assert press.after == []
    assert _saved(interruption)["global_step"] == 5


def test_half_a_step_is_never_saved(fit):
    interruption = Interruption()
    _, interrupted = fit(interruption, Press("on_before_optimizer_step", 5, times=2))
    assert interrupted
    assert interruption.saved is None


def test_nothing_is_saved_before_the_first_step(fit):
    interruption = Interruption()
    _, interrupted = fit(Press("on_train_start", 0, times=2), interruption)
    assert interrupted
    assert interruption.saved is None


def test_averaged_weights_are_not_mixed_up_with_the_others(fit):
    """In a validation the averages stand in the model's place."""
    interruption = Interruption()
    press = Press("on_validation_batch_start", 4)
    _, interrupted = fit(press, WeightAveraging(), interruption)
    assert interrupted
    content = _saved(interruption)
    assert content["global_step"] == 5, "the validation was finished, and the step after it"
    counts = content["averaging_state"]["n_averaged"]
    assert int(counts) == 5
    name = "backbone.bn1.num_batches_tracked"  # steps seen: all of them, and their running mean
    assert int(content["current_model_state"][name]) == 5
    assert int(content["state_dict"][name]) < 5


@pytest.mark.parametrize("interrupt", [True, False])
def test_the_signals_are_given_back(fit, interrupt):
    received = []
    signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    press = [Press("on_train_batch_start", 2)] if interrupt else []
    assert fit(*press, Interruption())[1] == interrupt
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM] * 2
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_callback_is_as_good_as_new_for_the_next_training(fit):
    interruption = Interruption()
    assert fit(Press("on_train_batch_start", 2), interruption)[1]
    trainer, interrupted = fit(interruption)
    assert not interrupted
    assert (trainer.global_step, interruption.saved) == (12, None)
