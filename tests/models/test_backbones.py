import pytest
import torch

from deepfake_lightning.errors import UsageError
from deepfake_lightning.models.backbones import (
    create_backbone,
    feature_count,
    input_statistics,
)


def test_an_unknown_network_suggests_the_nearest():
    with pytest.raises(UsageError, match="no network 'eficientnet_b0'") as raised:
        create_backbone("eficientnet_b0", 0.0, 0.0)
    assert "efficientnet_b0" in raised.value.next_step


def test_unknown_weights_of_a_network_suggest_the_nearest():
    with pytest.raises(UsageError, match="weights") as raised:
        create_backbone("test_resnet.r160_in2k", 0.0, 0.0)
    assert "test_resnet.r160_in1k" in raised.value.next_step


def test_a_network_without_stochastic_depth_says_so():
    with pytest.raises(UsageError, match="drop_path_rate"):
        create_backbone("vgg11", 0.0, 0.1)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "mobilenetv3_small_050"])
def test_the_feature_count_is_the_width_of_the_output(name):
    backbone = create_backbone(name, 0.0, 0.0).eval()
    with torch.inference_mode():
        features = backbone(torch.zeros(1, 3, *([160, 160] if "vit" in name else [32, 32])))
    assert features.shape == (1, feature_count(backbone))


def test_statistics_are_those_of_the_weights():
    assert input_statistics("efficientnet_b0")["mean"] == (0.485, 0.456, 0.406)
    assert input_statistics("efficientnet_b0.ra4_e3600_r224_in1k")["mean"] == (0.5, 0.5, 0.5)
    assert input_statistics("tf_efficientnet_lite0")["std"] == (0.5, 0.5, 0.5)
