"""Maps of real networks: what they add up to, and which networks have them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.explanation.heat import HeatMaps
from deepfake_lightning.evaluation.explanation.randomised import (
    STAGES,
    cascade,
    rank_correlation,
)
from deepfake_lightning.models import DeepfakeDetector


def detector(backbone: str = "test_efficientnet", **more: object) -> DeepfakeDetector:
    torch.manual_seed(0)
    return DeepfakeDetector(backbone, pretrained=False, **more).eval()  # type: ignore[arg-type]


def inputs(count: int = 2, size: int = 96) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, size, size)).astype(np.float32)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_fields_and_the_bias_add_up_to_the_logit(frozen: bool) -> None:
    network = detector(freeze_backbone=frozen)
    torch.nn.init.constant_(network.head.bias[1], 0.7)  # type: ignore[arg-type]
    heat = HeatMaps(network, 96)
    maps, logits = heat.maps(inputs()), heat.logits(inputs())
    assert maps.shape == (2, heat.grid, heat.grid) and heat.grid > 1
    bias = float((network.head.bias[1] - network.head.bias[0]).detach())
    assert maps.sum(axis=(1, 2)) + bias == pytest.approx(logits, abs=1e-5)
    assert heat.constant(maps, logits) == pytest.approx(bias)
    assert logits == pytest.approx(
        [float(np.diff(row)[0]) for row in network(torch.from_numpy(inputs())).detach().numpy()],
        abs=1e-5,
    )


def test_fields_that_add_up_to_nothing_have_no_constant() -> None:
    """Nor where each map is off by another amount, as with layers behind the mean."""
    network = detector()
    covered, heat = HeatMaps(network, 96, "occlusion"), HeatMaps(network, 96)
    maps, logits = heat.maps(inputs()), heat.logits(inputs())
    assert covered.constant(covered.maps(inputs()), logits) is None
    assert heat.constant(maps, logits + np.float32([0, 0.01])) is None
    assert heat.constant(maps, logits + np.float32(0.01)) is None
    network.backbone = torch.nn.Sequential(network.backbone, torch.nn.Softplus())
    behind = HeatMaps(network, 96)
    assert behind.constant(behind.maps(inputs()), behind.logits(inputs())) is None


def test_it_is_the_formula_of_the_paper() -> None:
    network = detector()
    heat = HeatMaps(network, 96)
    image = torch.from_numpy(inputs(1))
    kept = {}
    layer = heat.network.get_submodule(heat._layer)
    hook = layer.register_forward_hook(lambda *given: kept.update(maps=given[2]))
    logit = heat.network(image)[0]
    hook.remove()
    [slope] = torch.autograd.grad(logit, kept["maps"])
    expected = (slope.mean(dim=(2, 3), keepdim=True) * kept["maps"]).sum(dim=1)[0]
    assert heat.maps(inputs(1))[0] == pytest.approx(expected.detach().numpy(), abs=1e-6)


def test_with_a_test_time_flip_a_map_is_of_both() -> None:
    plain, both = HeatMaps(detector(), 96), HeatMaps(detector(test_time_flip=True), 96)
    given = inputs()
    mirrored = np.ascontiguousarray(given[..., ::-1])
    expected = (plain.maps(given) + plain.maps(mirrored)[..., ::-1]) / 2
    maps, logits = both.maps(given), both.logits(given)
    assert maps == pytest.approx(expected, abs=1e-6)
    assert logits == pytest.approx((plain.logits(given) + plain.logits(mirrored)) / 2, abs=1e-5)
    assert both.constant(maps, logits) is not None
    assert both.logits(mirrored) == pytest.approx(logits, abs=1e-5)


def test_occlusion_finds_what_was_covered() -> None:
    network = detector()
    heat = HeatMaps(network, 64, "occlusion")
    image = np.zeros((1, 3, 64, 64), np.float32)  # covering changes nothing of it
    assert np.abs(heat.maps(image)).max() < 1e-6
    image[:, :, 8:24, 40:56] = 3.0  # a square of two fields
    assert heat.grid == 8
    found = heat.maps(image)[0]
    touched = np.zeros((8, 8), bool)
    touched[0:4, 4:8] = True  # by covers of two fields that reach into the square
    assert np.abs(found[~touched]).max() < 1e-6
    # The one field whose covers all lie on the square's four: by hand.
    base, lost = heat.logits(image)[0], []
    for top in (0, 8):
        for left in (32, 40):
            covered = image.copy()
            covered[:, :, top : top + 16, left : left + 16] = 0
            lost.append(base - heat.logits(covered)[0])
    assert found[1, 5] == pytest.approx(np.mean(lost), abs=1e-5)


def test_a_network_of_tokens_has_occlusion_alone() -> None:
    network = detector("test_vit")
    with pytest.raises(UsageError, match=r"Grad-CAM(.|\n)*--method occlusion"):
        HeatMaps(network, 160)


def test_shuffled_weights_give_other_maps_and_leave_the_network() -> None:
    heat = HeatMaps(detector(), 96)
    maps, before = heat.maps(inputs()), heat.logits(inputs())
    told: list[int] = []
    found = cascade(heat, inputs(), maps, done=lambda: told.append(1))
    assert [one.shuffled for one in found] == list(STAGES) and len(told) == len(STAGES)
    correlations = [one.correlation for one in found]
    assert all(value is None or abs(value) < 0.95 for value in correlations)
    assert (heat.logits(inputs()) == before).all()
    assert cascade(heat, inputs(), maps) == found


def test_rank_correlation_knows_ranks_alone() -> None:
    a = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert rank_correlation(a, -(a**3)) == pytest.approx(-1)
    assert rank_correlation(a, np.ones_like(a)) is None
