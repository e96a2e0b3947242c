"""Learning rates of layers, as timm counts layers."""

from __future__ import annotations

import pytest
import torch

from deepfake_lightning.errors import UsageError
from deepfake_lightning.models.backbones import create_backbone, feature_count
from deepfake_lightning.models.optimization import create_optimizer


def _rates(layer_decay: float) -> dict[str, tuple[float, float]]:
    """Return rate and weight decay of each tensor."""
    backbone = create_backbone("test_efficientnet", 0.0, 0.0)
    parts = torch.nn.ModuleDict({"backbone": backbone})
    parts["head"] = torch.nn.Linear(feature_count(backbone), 2)
    settings = {
        "optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.05, "layer_decay": layer_decay
    }  # fmt: skip
    made = create_optimizer(parts["backbone"], parts["head"], settings)
    groups = {id(p): g for g in made.param_groups for p in g["params"]}
    return {
        name: (groups[id(p)]["lr"], groups[id(p)]["weight_decay"])
        for name, p in parts.named_parameters()
    }


def test_a_layer_learns_slower_than_the_next() -> None:
    alike, slower = _rates(1), _rates(0.5)
    assert alike.keys() == slower.keys()
    assert {rate for rate, _ in alike.values()} == {1e-3}
    assert slower["head.weight"][0] == 1e-3
    stem, last = slower["backbone.conv_stem.weight"][0], slower["backbone.conv_head.weight"][0]
    assert stem < slower["backbone.blocks.2.0.conv_exp.weight"][0] < last == 5e-4
    exponents = torch.tensor([rate / 1e-3 for rate, _ in slower.values()]).log2()
    assert exponents == pytest.approx(exponents.round(), abs=1e-6)


def test_biases_and_norms_do_not_decay_either_way() -> None:
    for rates in (_rates(1), _rates(0.5)):
        decays = {name: decay for name, (_, decay) in rates.items()}
        assert decays["head.weight"] == decays["backbone.conv_stem.weight"] == 0.05
        assert decays["head.bias"] == decays["backbone.bn1.weight"] == 0


@pytest.mark.parametrize("value", [0.0, -0.5, 1.5])
def test_other_rates_are_refused(make_detector, value: float) -> None:
    with pytest.raises(UsageError, match="layer_decay"):
        make_detector(layer_decay=value)
