import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from deepfake_lightning.models.losses import ClassificationLoss

LABELS = torch.tensor([0, 1, 1, -1, 0, 1, -1])
WEIGHTS = torch.tensor([0.7, 2.5])


@pytest.fixture
def logits():
    torch.manual_seed(1)
    return (3 * torch.randn(len(LABELS), 2)).requires_grad_()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_without_gamma_it_is_torchs_cross_entropy(logits, smoothing, weights):
    expected = F.cross_entropy(
        logits, LABELS, weight=weights, ignore_index=-1, label_smoothing=smoothing
    )
    assert ClassificationLoss(smoothing, 0.0, weights)(logits, LABELS) == expected


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_a_vanishing_gamma_leads_to_cross_entropy(logits, weights):
    with_focus = ClassificationLoss(0.0, 1e-9, weights)(logits, LABELS)
    assert torch.allclose(with_focus, ClassificationLoss(0.0, 0.0, weights)(logits, LABELS))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_is_torchvisions_on_the_logit_difference(logits, gamma):
    known = LABELS >= 0
    difference, targets = (logits[:, 1] - logits[:, 0])[known], LABELS[known].float()
    expected = sigmoid_focal_loss(difference, targets, alpha=-1, gamma=gamma, reduction="mean")
    assert torch.allclose(ClassificationLoss(0.0, gamma)(logits, LABELS), expected)


def test_focal_weights_are_normalised_as_in_cross_entropy(logits):
    known = LABELS >= 0
    each = torch.stack(
        [
            ClassificationLoss(0.0, 2.0)(z[None], y[None])
            for z, y in zip(logits, LABELS, strict=True)
        ]
    )[known]
    weights = WEIGHTS[LABELS[known]]
    expected = (each * weights).sum() / weights.sum()
    assert torch.allclose(ClassificationLoss(0.0, 2.0, WEIGHTS)(logits, LABELS), expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_a_batch_without_labels_costs_nothing_and_teaches_nothing(logits, gamma):
    loss = ClassificationLoss(0.1, gamma, WEIGHTS)(logits, torch.full_like(LABELS, -1))
    loss.backward()
    assert loss == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_unknown_labels_do_not_move_the_mean(logits, gamma):
    loss, known = ClassificationLoss(0.0, gamma, WEIGHTS), LABELS >= 0
    assert torch.allclose(loss(logits, LABELS), loss(logits[known], LABELS[known]))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_sure_mistakes_have_finite_gradients(gamma):
    logits = torch.tensor([[80.0, -80.0], [-90.0, 90.0]], requires_grad=True)
    ClassificationLoss(0.0, gamma)(logits, torch.tensor([1, 0])).backward()
    assert logits.grad.isfinite().all()


def test_weights_are_no_part_of_a_checkpoint():
    assert ClassificationLoss(0.0, 0.0, WEIGHTS).state_dict() == {}


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_weights_that_were_halved_with_the_model_weigh_as_before(logits, gamma):
    halved = ClassificationLoss(0.0, gamma, WEIGHTS).to(torch.bfloat16)(logits, LABELS)
    assert torch.allclose(halved, ClassificationLoss(0.0, gamma, WEIGHTS)(logits, LABELS), 1e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_step_does_not_wait_for_the_gpu():
    # With class weights and smoothing PyTorch's own cross-entropy waits.
    loss = ClassificationLoss(0.1).cuda()
    logits, labels = torch.randn(7, 2, device="cuda", requires_grad=True), LABELS.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss(logits, labels).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert logits.grad.isfinite().all()
