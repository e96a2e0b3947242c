"""The exported network: the same scores as PyTorch's, and nothing of this machine."""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load

from deepfake_lightning.bundle.export import (
    TOLERANCE,
    ServedNetwork,
    agreement,
    check_agreement,
    export_onnx,
    export_weights,
    onnx_network,
    run_onnx,
    run_torch,
)
from deepfake_lightning.errors import BundleError
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.models.checkpoints import load_detector

NETWORKS = [
    ("test_efficientnet", 32),
    ("test_vit", 160),
    # The first once more, with other layers and with many.
    pytest.param(("test_resnet", 32), marks=pytest.mark.slow),
    pytest.param(("mobilenetv3_small_050", 32), marks=pytest.mark.slow),
]


def detector(backbone: str) -> DeepfakeDetector:
    torch.manual_seed(0)
    return DeepfakeDetector(backbone, pretrained=False)


def pictures(count: int, size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(count).normal(size=(count, 3, size, size)).astype(np.float32)


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda one: one[0])
def exported(request: pytest.FixtureRequest) -> tuple[ServedNetwork, bytes, int]:
    """Return a network, its ONNX graph and the size of its input."""
    backbone, size = request.param
    # As a training leaves it; it is exported as it scores.
    network = ServedNetwork(detector(backbone)).train()
    return network, export_onnx(network, size), size


def test_onnx_gives_pytorch_s_scores_at_any_batch_size(exported: Any) -> None:
    network, data, size = exported
    run = onnx_network(data)
    for count in (1, 2, 7, 33):
        images = pictures(count, size)
        one, other = run_torch(network, images), run(images)
        assert other[0].shape == (count,) and other[1].shape == one[1].shape
        np.testing.assert_allclose(other[0], one[0], atol=TOLERANCE)
        np.testing.assert_allclose(other[1], one[1], atol=1e-3)
        found = agreement(one, other)
        assert found.pictures == count
        check_agreement(found)


def test_the_logit_is_fake_minus_real(exported: Any) -> None:
    network, data, size = exported
    images = pictures(3, size)
    with torch.inference_mode():
        pairs = network.head(network.backbone(torch.from_numpy(images)))
    expected = (pairs[:, 1] - pairs[:, 0]).numpy()
    np.testing.assert_allclose(run_onnx(data, images)[0], expected, atol=TOLERANCE)


def test_a_test_time_flip_is_in_the_graph() -> None:
    torch.manual_seed(0)
    flipping = DeepfakeDetector("test_efficientnet", pretrained=False, test_time_flip=True).eval()
    images = pictures(5, 32)
    mirrored = np.ascontiguousarray(images[..., ::-1])
    plain = ServedNetwork(flipping)
    plain.test_time_flip = False
    (one, one_seen), (other, other_seen) = run_torch(plain, images), run_torch(plain, mirrored)
    assert np.abs(one - other).min() > 1e-5
    run = onnx_network(export_onnx(ServedNetwork(flipping), 32))
    for count in (1, 5):
        logits, features = run(images[:count])
        np.testing.assert_allclose(logits, (one + other)[:count] / 2, atol=TOLERANCE)
        np.testing.assert_allclose(features, (one_seen + other_seen)[:count] / 2, atol=1e-3)
    with torch.inference_mode():
        scored = flipping(torch.from_numpy(images)).diff(dim=1)[:, 0].numpy()
    np.testing.assert_allclose(scored, (one + other) / 2, atol=TOLERANCE)


def test_nothing_of_this_machine_is_in_the_graph(exported: Any) -> None:
    data = exported[1]
    own = (socket.gethostname(), getpass.getuser(), str(Path.cwd()), str(Path.home()))
    # Shorter ones are met in numbers by chance.
    for text in (*(each for each in own if len(each) > 5), "site-packages", "deepfake_lightning",
                 "Traceback", "stack_trace", 'File "/'):  # fmt: skip
        assert text.encode() not in data, text
    model = onnx.load_model_from_string(data)
    assert not model.metadata_props and not model.graph.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    onnx.checker.check_model(model)


def test_the_shapes_are_stated(exported: Any) -> None:
    _, data, size = exported
    session_model = onnx.load_model_from_string(data)
    (image,) = session_model.graph.input
    dimensions = image.type.tensor_type.shape.dim
    assert dimensions[0].dim_param and not dimensions[0].dim_value
    assert [d.dim_value for d in dimensions[1:]] == [3, size, size]
    assert [o.name for o in session_model.graph.output] == ["logit", "features"]


def test_a_checkpoint_always_gives_the_same_graph_and_weights(crop_bundle: Any) -> None:
    trained = load_detector(crop_bundle.checkpoint)
    graph = export_onnx(ServedNetwork(trained.detector), 32)
    assert graph == (crop_bundle.folder / "model.onnx").read_bytes()
    weights = export_weights(trained.detector)
    assert weights == (crop_bundle.folder / "model.safetensors").read_bytes()


def test_activations_are_as_they_were_after_an_export() -> None:
    network = ServedNetwork(detector("test_efficientnet"))
    before = [getattr(part, "inplace", None) for part in network.modules()]
    export_onnx(network, 32)
    assert True in before
    assert [getattr(part, "inplace", None) for part in network.modules()] == before


def test_the_weights_are_those_of_the_network_and_no_more() -> None:
    own = detector("test_efficientnet")
    state = load(export_weights(own))
    expected = {k: v for k, v in own.state_dict().items() if k.startswith(("backbone.", "head."))}
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)


def test_other_weights_are_seen_to_disagree(crop_bundle: Any) -> None:
    network = ServedNetwork(load_detector(crop_bundle.checkpoint).detector)
    data = (crop_bundle.folder / "model.onnx").read_bytes()
    with torch.no_grad():
        network.head.bias[1] += 2 * TOLERANCE
    images = pictures(4, 32)
    found = agreement(run_torch(network, images), run_onnx(data, images))
    assert found.logit == pytest.approx(2 * TOLERANCE, rel=0.05)
    with pytest.raises(BundleError, match=r"logits are 0\.0002 from PyTorch's, more than 0\.0001"):
        check_agreement(found)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_do_not_agree(value: float) -> None:
    logit, features = np.zeros(2, np.float32), np.ones((2, 3), np.float32)
    spoilt = np.array([0.0, value], np.float32)
    for one, other in ((logit, spoilt), (spoilt, logit), (spoilt, spoilt)):
        with pytest.raises(BundleError, match="not finite"):
            check_agreement(agreement((one, features), (other, features)))


def test_a_network_that_onnx_cannot_hold_is_refused_in_a_sentence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Odd(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            if image.sum() > 0:  # depends on the picture
                return image.mean((1, 2, 3)), image.flatten(1)
            return image.amax((1, 2, 3)), image.flatten(1)

    with pytest.raises(BundleError, match="cannot be exported to ONNX") as caught:
        export_onnx(Odd(), 32)
    assert len(str(caught.value)) < 700
    assert re.search("another backbone", caught.value.next_step)
    assert capfd.readouterr() == ("", "")
