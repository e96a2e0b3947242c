import pytest
import torch
from timm.scheduler import CosineLRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR

from deepfake_lightning.models.schedules import warmup_then

LR = 0.2


def _optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)


def _rates(make_scheduler, steps):
    optimizer = _optimizer()
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def _ours(*arguments, **options):
    return lambda optimizer: LambdaLR(optimizer, warmup_then(*arguments, **options))


def test_cosine_is_torchs():
    expected = _rates(lambda o: CosineAnnealingLR(o, T_max=50, eta_min=0.1 * LR), 50)
    assert _rates(_ours("cosine", 50, 0, floor=0.1), 50) == pytest.approx(expected)


def test_cosine_is_timms():
    theirs = CosineLRScheduler(_optimizer(), t_initial=40, t_in_epochs=False)
    expected = [theirs._get_lr(step)[0] for step in range(40)]
    assert _rates(_ours("cosine", 40, 0), 40) == pytest.approx(expected)


def test_warmup_and_cosine_are_torchs_in_sequence():
    warmup, steps = 5, 30

    def sequence(optimizer):
        rise = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        fall = CosineAnnealingLR(optimizer, T_max=steps - warmup)
        return SequentialLR(optimizer, [rise, fall], milestones=[warmup])

    assert _rates(_ours("cosine", steps, warmup), steps) == pytest.approx(_rates(sequence, steps))


def test_constant_after_the_warmup():
    rates = _rates(_ours("constant", 20, 4), 20)
    assert rates[:4] == pytest.approx([LR * k / 5 for k in (1, 2, 3, 4)])
    assert rates[4:] == [LR] * 16


def test_the_rate_never_rises_again_past_the_end():
    factor = warmup_then("cosine", 10, 0)
    assert [factor(step) for step in (10, 11, 15, 25)] == pytest.approx([0, 0, 0, 0])
