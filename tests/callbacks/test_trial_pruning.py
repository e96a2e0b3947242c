"""Pruning of real trainings, by real pruners."""

import optuna
import pytest
from optuna.pruners import NopPruner, ThresholdPruner

from deepfake_lightning.callbacks import TrialPruning
from deepfake_lightning.errors import UndefinedMetricError

LABELS = [0, 0, 1, 1, 0, 1, 0, 1]


@pytest.fixture
def fit(make_split_faces, make_data, make_detector, make_trainer):
    """Train with a pruner, and return the callback, the trial and the Trainer."""

    def run(pruner, monitor="val/loss", batch_size=4, **options):
        trial = optuna.create_study(pruner=pruner).ask()
        pruning = TrialPruning(trial, monitor)
        trainer = make_trainer(pruning, **{"max_epochs": 3, **options})
        trainer.fit(
            make_detector(),
            datamodule=make_data(make_split_faces(labels=LABELS), batch_size=batch_size),
        )
        return pruning, trial, trainer

    return run


def _reported(trial):
    held = trial.study.get_trials(deepcopy=False)[trial.number]
    return sorted(held.intermediate_values)


def test_each_validation_is_reported_and_the_sanity_check_is_none(fit):
    pruning, trial, trainer = fit(NopPruner(), num_sanity_val_steps=1)
    assert _reported(trial) == [0, 1, 2]
    assert trainer.current_epoch == 3
    assert pruning.started
    assert pruning.reason == ""


def test_a_pruned_training_ends_as_one_that_stops(fit):
    pruning, trial, trainer = fit(ThresholdPruner(upper=-1.0, n_warmup_steps=1))
    assert trainer.current_epoch == 2
    assert trainer.state.finished
    assert pruning.reason.startswith("pruned after epoch 2: val/loss is ")
    assert _reported(trial) == [0, 1]


def test_validations_within_an_epoch_are_steps_of_their_own(fit):
    _, trial, _ = fit(NopPruner(), max_epochs=2, val_check_interval=1)
    assert _reported(trial) == [0, 1, 2, 3]


def test_an_undefined_objective_is_an_error(fit):
    one_class = {"batch_size": 2, "limit_val_batches": 1}
    with pytest.raises(UndefinedMetricError, match="val/auroc is undefined after epoch 1"):
        fit(NopPruner(), "val/auroc", **one_class)


def test_an_objective_that_nothing_logs_is_named_before_training(fit):
    with pytest.raises(UndefinedMetricError, match="val/auroc"):
        fit(NopPruner(), "val/aurocc")


def test_one_that_is_over_is_not_given_up(fit):
    pruning, trial, trainer = fit(ThresholdPruner(upper=-1.0, n_warmup_steps=2))
    assert trainer.current_epoch == 3
    assert _reported(trial) == [0, 1, 2]
    assert pruning.reason == ""
