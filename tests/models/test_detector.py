import pytest
import torch
from torch import nn

from deepfake_lightning.errors import CheckpointError, UndefinedMetricError, UsageError
from deepfake_lightning.metrics import METRIC_NAMES
from deepfake_lightning.models import DeepfakeDetector

BOTH = [0, 1] * 16


def _parameters(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_training_learns(make_detector, make_pictures, make_trainer, load):
    detector = make_detector(lr=1e-2)
    train = load(make_pictures(BOTH))
    val = load(make_pictures(BOTH, seed=1))
    trainer = make_trainer(max_epochs=8)
    before = trainer.validate(detector, val, verbose=False)[0]["val/loss"]
    trainer.fit(detector, train, val)
    assert float(trainer.callback_metrics["val/auroc"]) > 0.95
    assert float(trainer.callback_metrics["val/loss"]) < 0.7 * before
    assert float(trainer.callback_metrics["train/auroc"]) > 0.8


def test_metric_names_are_what_is_logged(make_detector, make_pictures, make_trainer, load):
    detector, trainer = make_detector(), make_trainer()
    trainer.fit(detector, load(make_pictures(BOTH)), load(make_pictures(BOTH)))
    logged = set(trainer.callback_metrics)
    undefined = set(detector.metric_names) - logged
    assert logged <= set(detector.metric_names)
    assert undefined <= {"val/precision", "val/item_precision", "train/precision"}


def test_undefined_metrics_are_absent(make_detector, make_pictures, make_trainer, load):
    detector, trainer = make_detector(), make_trainer()
    trainer.fit(detector, load(make_pictures(BOTH)), load(make_pictures([0] * 8)))
    logged = {name for name in trainer.callback_metrics if name.startswith("val/")}
    assert {"val/loss", "val/accuracy", "val/log_loss", "val/item_accuracy"} <= logged
    assert not {f"val/{name}" for name in ("auroc", "eer", "average_precision", "recall")} & logged
    assert all(value.isfinite() for value in trainer.callback_metrics.values())
    assert detector.evaluate(detector.epoch_scores["val"])["auroc"] is None


def test_without_any_label_all_is_undefined(make_detector, make_pictures, make_trainer, load):
    detector = make_detector()
    assert make_trainer().validate(detector, load(make_pictures([-1] * 3)), verbose=False) == [{}]
    names = {"loss", *METRIC_NAMES, *(f"item_{name}" for name in METRIC_NAMES)}
    assert detector.evaluate(detector.epoch_scores["val"]) == dict.fromkeys(names)


def test_unknown_labels_count_for_nothing(make_detector, make_pictures, make_trainer, load):
    detector, trainer = make_detector(), make_trainer()
    samples = make_pictures([0, 1, -1, 1, 0, -1, 0, 1], contrast=0.3)
    known = [sample for sample in samples if sample["label"] >= 0]
    with_unknown, without = (
        trainer.test(detector, load(some, 3), verbose=False)[0] for some in (samples, known)
    )
    assert with_unknown == pytest.approx(without, abs=1e-6)
    trainer.test(detector, load(samples), verbose=False)
    assert len(detector.epoch_scores["test"]) == 8, "they are scored all the same"


def test_no_picture_leaks_into_the_next_epoch(make_detector, make_pictures, make_trainer, load):
    detector, samples = make_detector(), make_pictures(BOTH)
    make_trainer(max_epochs=3, num_sanity_val_steps=2).fit(detector, load(samples), load(samples))
    assert {stage: len(scores) for stage, scores in detector.epoch_scores.items()} == {
        "train": len(samples),
        "val": len(samples),
    }
    first = make_trainer().validate(detector, load(samples), verbose=False)
    assert make_trainer().validate(detector, load(samples), verbose=False) == first


def test_metrics_do_not_depend_on_the_batches(make_detector, make_pictures, make_trainer, load):
    detector, samples = make_detector(class_weights=[1, 3]), make_pictures([0, 1, 1] * 5)
    whole, parts = (
        make_trainer().test(detector, load(samples, size), verbose=False)[0] for size in (15, 4)
    )
    assert whole == pytest.approx(parts, abs=1e-5)


@pytest.mark.parametrize("also_train", [False, True])
def test_a_frozen_backbone_keeps_weights_and_statistics(
    make_detector, make_pictures, make_trainer, load, also_train
):
    detector = make_detector(freeze_backbone=True)
    if also_train:
        detector.train()
    before, head = _parameters(detector.backbone), _parameters(detector.head)
    samples = load(make_pictures(BOTH))
    make_trainer(max_epochs=2).fit(detector, samples, samples)
    assert any(isinstance(module, nn.BatchNorm2d) for module in detector.backbone.modules())
    assert _same(before, _parameters(detector.backbone))
    assert not _same(head, _parameters(detector.head))


def test_a_test_time_flip_changes_scores_and_no_training(
    make_detector, make_pictures, make_trainer, load
):
    weights, scores = [], []
    for flip in (False, True):
        torch.manual_seed(0)
        detector = make_detector(lr=1e-2, test_time_flip=flip)
        make_trainer().fit(detector, load(make_pictures(BOTH)), load(make_pictures(BOTH, seed=1)))
        weights.append(_parameters(detector))
        scores.append(detector.epoch_scores["val"].logit)
    assert _same(*weights)
    assert abs(scores[0] - scores[1]).max() > 1e-6


@pytest.mark.parametrize("wanted", [True, False])
def test_channels_last(make_detector, wanted):
    detector = make_detector(channels_last=wanted, drop_rate=0.0).eval()
    seen = []
    detector.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    picture = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    logits = detector(picture)
    assert seen[0].is_contiguous(memory_format=torch.channels_last) == wanted
    reference = make_detector(channels_last=False, drop_rate=0.0).eval()
    assert torch.allclose(logits, reference(picture), atol=1e-5)


def test_two_class_weights_enter_the_loss(make_detector, make_pictures, make_trainer, load):
    detector = make_detector(class_weights=[1, 3])  # whole numbers, as people write them
    samples = make_pictures([0, 1, 0], contrast=0.0)
    loss = make_trainer().test(detector, load(samples), verbose=False)[0]["test/loss"]
    scores = detector.epoch_scores["test"]
    each = torch.nn.functional.softplus(torch.tensor((1 - 2 * scores.label) * scores.logit))
    expected = (each * torch.tensor([1, 3, 1])).sum() / 5
    assert loss == pytest.approx(float(expected), abs=1e-5)


def test_half_precision_trains_and_measures(make_detector, make_pictures, make_trainer, load):
    detector = make_detector("test_vit", drop_rate=0.0)  # its BatchNorm-free maths are quick here
    samples = [{**s, "image": s["image"].repeat(1, 5, 5)} for s in make_pictures([0, 1])]
    trainer = make_trainer(precision="bf16-mixed", limit_train_batches=1)
    before = _parameters(detector)
    trainer.fit(detector, load(samples), load(samples))
    assert not _same(before, _parameters(detector))
    assert trainer.callback_metrics["val/loss"].isfinite()
    assert all(p.dtype == torch.float32 for p in detector.parameters())


def test_accumulated_gradients_are_one_step_of_the_whole(
    make_detector, make_pictures, make_trainer, load
):
    samples = make_pictures([0, 1] * 4)
    results = []
    for batch_size, parts in ((8, 1), (2, 4)):
        # Frozen, since batch normalisation sees the parts.
        detector = make_detector(freeze_backbone=True, optimizer="sgd", drop_rate=0.0, lr=0.1)
        trainer = make_trainer(accumulate_grad_batches=parts)
        trainer.fit(detector, load(samples, batch_size))
        assert trainer.global_step == 1
        results.append(detector.head.weight.detach())
    assert torch.allclose(*results, atol=1e-6)


def test_compiling_keeps_the_names_of_the_weights(
    make_detector, make_pictures, make_trainer, load, monkeypatch
):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    detector = make_detector(compile=True)
    samples = load(make_pictures(BOTH[:8]))
    make_trainer().fit(detector, samples)
    assert compiled == [detector.backbone]
    monkeypatch.undo()
    detector.backbone.compile(backend="eager")
    assert detector.state_dict().keys() == make_detector().state_dict().keys()
    assert detector.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


def test_diverged_weights_are_an_error_that_says_what_to_do(
    make_detector, make_pictures, make_trainer, load
):
    detector = make_detector()
    nn.init.constant_(detector.head.weight, float("nan"))
    samples = load(make_pictures([0, 1, 1]))
    with pytest.raises(UndefinedMetricError, match=r"3 of 3 scores of val .*epoch 1") as raised:
        make_trainer().fit(detector, samples, samples)
    assert "model.lr" in raised.value.next_step


def test_loss_of_a_training_is_the_mean_over_its_pictures(
    make_detector, make_pictures, make_trainer, load
):
    detector = make_detector(optimizer="sgd", lr=0.0, freeze_backbone=True, drop_rate=0.0)
    samples = make_pictures([0, 1, 1, 1, 0])  # batches of 3 and 2
    trainer = make_trainer(logger=False)
    trainer.fit(detector, load(samples, 3), load(samples, 5))
    metrics = trainer.callback_metrics
    assert float(metrics["train/loss"]) == pytest.approx(float(metrics["val/loss"]), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"optimizer": "adamm"}, "did you mean .*adam"),
        ({"class_weights": [1.0]}, "two weights"),
        ({"class_weights": [0.0, 0.0]}, "two weights"),
        ({"weights": "packaged", "pretrained": False}, "leave one of them out"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make_detector, options, says):
    with pytest.raises(UsageError, match=says):
        make_detector(**options)


def test_balanced_weights_need_something_that_counts(
    make_detector, make_pictures, make_trainer, load
):
    with pytest.raises(UsageError, match="class_weights is 'balanced'"):
        make_trainer().fit(make_detector(class_weights="balanced"), load(make_pictures(BOTH)))


def test_another_architecture_is_refused(
    make_detector, make_pictures, make_trainer, load, tmp_path
):
    trainer = make_trainer(limit_train_batches=1)
    trainer.fit(make_detector("test_resnet"), load(make_pictures([0, 1])))
    trainer.save_checkpoint(tmp_path / "resnet.ckpt")
    path = tmp_path / "resnet.ckpt"
    with pytest.raises(CheckpointError, match="holds test_resnet, the model is test_eff") as raised:
        make_trainer().test(make_detector(), load(make_pictures([0])), path, weights_only=True)
    assert "--model.backbone test_resnet" in raised.value.next_step
    with pytest.raises(CheckpointError, match="holds another network, the model is test_eff"):
        DeepfakeDetector.load_from_checkpoint(path, backbone="test_efficientnet", weights_only=True)


@pytest.mark.parametrize("name, value", [("layer_decay", 0.5), ("test_time_flip", True)])
def test_a_training_goes_on_as_it_began(
    make_detector, make_pictures, make_trainer, load, tmp_path, name, value
):
    trainer = make_trainer(limit_train_batches=1)
    trainer.fit(make_detector(**{name: value}), load(make_pictures(BOTH)))
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    with pytest.raises(CheckpointError, match=f"model.{name} {value}, and here it is") as raised:
        make_trainer(max_epochs=2).fit(
            make_detector(), load(make_pictures(BOTH)), ckpt_path=tmp_path / "one.ckpt",
            weights_only=True,
        )  # fmt: skip
    assert f"--model.{name} {str(value).lower()}" in raised.value.next_step
    again = make_trainer(max_epochs=2, limit_train_batches=1)
    again.fit(
        make_detector(**{name: value}), load(make_pictures(BOTH)), ckpt_path=tmp_path / "one.ckpt",
        weights_only=True,
    )  # fmt: skip
    assert again.global_step == 2


def test_many_pictures_are_scored_in_parts(
    make_detector, make_pictures, make_trainer, load, monkeypatch
):
    def scores(most):
        monkeypatch.setattr("deepfake_lightning.models.detector._MOST_SCORED_AT_ONCE", most)
        detector = make_detector()
        make_trainer().validate(detector, load(make_pictures(BOTH)), verbose=False)
        return detector.epoch_scores["val"].logit

    assert scores(3) == pytest.approx(scores(256), abs=1e-5)
