"""The network as it is served: one ONNX graph and one file of weights, shown to agree."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from deepfake_lightning.bundle.onnx_session import INPUT, OUTPUTS, open_session, run_session
from deepfake_lightning.errors import BundleError
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.models.backbones import pooled_features
from deepfake_lightning.schemas.bundle import Agreement

TOLERANCE = 1e-4
"""Largest difference of a logit between PyTorch and ONNX, on identical inputs, fp32 on the CPU."""

Float32Array = NDArray[np.float32]
_PARTS = ("backbone.", "head.")


class ServedNetwork(nn.Module):
    """A detector's network: float32 [B, 3, S, S] -> logit [B] and features [B, F].

    Attributes:
        test_time_flip: both are the means of a picture and its mirror image.
    """

    def __init__(self, detector: DeepfakeDetector) -> None:
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head
        self.test_time_flip = bool(detector.hparams["test_time_flip"])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return z_fake - z_real in natural log-odds, and the features before the classifier."""
        features = pooled_features(self.backbone, image, flip=self.test_time_flip)
        logits = self.head(features)
        return logits[:, 1] - logits[:, 0], features


def export_weights(detector: DeepfakeDetector) -> bytes:
    """Return the network's weights as safetensors."""
    state = detector.state_dict()
    own = {name: t.contiguous() for name, t in state.items() if name.startswith(_PARTS)}
    return bytes(save(own))


def export_onnx(network: nn.Module, size: int) -> bytes:
    """Return the network as an ONNX graph that takes any number of pictures.

    What the exporter notes of this machine (paths, stack traces) is left out.

    Raises:
        BundleError: the network has a part that ONNX cannot hold.
    """
    # As it is stored: memory layout is no part of a graph, and two pictures fix no batch size.
    example = torch.zeros(2, 3, size, size)
    try:
        with _silence(), _out_of_place(network):
            program = torch.onnx.export(
                network.eval(), (example,), dynamo=True, external_data=False, verbose=False,
                input_names=[INPUT], output_names=list(OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )  # fmt: skip
    except Exception as error:  # the exporter's errors are of many kinds, some a page long
        raise BundleError(
            f"the network cannot be exported to ONNX: {str(error).strip().splitlines()[0][:300]}",
            why="a bundle is served by onnxruntime on a CPU",
            next_step="train another backbone (efficientnet_b0 can be exported)",
        ) from error
    assert program is not None
    model = program.model_proto
    del model.metadata_props[:], model.graph.value_info[:], model.graph.metadata_props[:]
    for part in [*model.graph.node, *model.graph.initializer, *model.graph.input,
                 *model.graph.output]:  # fmt: skip
        del part.metadata_props[:]
        part.doc_string = ""
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _out_of_place(network: nn.Module) -> Iterator[None]:
    """Keep activations from writing over their input: a graph is the same, and traced in 2/3 of
    the time.
    """
    parts = [part for part in network.modules() if getattr(part, "inplace", False) is True]
    for part in parts:
        part.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for part in parts:
            part.inplace = True  # type: ignore[assignment]


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter's chatter off the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        chatter = io.StringIO()
        with warnings.catch_warnings(), redirect_stdout(chatter), redirect_stderr(chatter):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def run_torch(
    network: nn.Module, images: Float32Array, *, device: str = "cpu", bf16: bool = False
) -> tuple[Float32Array, Float32Array]:
    """Return logits [N] and features [N, F], float32, of inputs float32 [N, 3, S, S]."""
    network = network.to(device).eval()
    logits, features = [], []
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
        for part in torch.split(torch.from_numpy(images), 32):
            found = network(part.to(device))
            logits.append(found[0].float().cpu())
            features.append(found[1].float().cpu())
    network.to("cpu")
    return torch.cat(logits).numpy(), torch.cat(features).numpy()


def onnx_network(data: bytes) -> Callable[[Float32Array], tuple[Float32Array, Float32Array]]:
    """Return an ONNX graph as a function: inputs [B, 3, S, S] -> logits [B], features [B, F]."""
    return partial(run_session, open_session(data, "the exported graph"))


def run_onnx(data: bytes, images: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return logits and features as :func:`run_torch`, of an ONNX graph on the CPU."""
    return onnx_network(data)(images)


def agreement(
    one: tuple[Float32Array, Float32Array],
    other: tuple[Float32Array, Float32Array],
) -> Agreement:
    """Return how far two runs of one network are apart.

    Raises:
        BundleError: not all that they gave are finite numbers.
    """
    if not all(np.isfinite(array).all() for array in (*one, *other)):
        raise BundleError(
            "the network gives scores or features that are not finite numbers",
            why="its weights have diverged, or numbers overflow",
            next_step="use a checkpoint of an earlier epoch, or train again with a lower model.lr",
        )
    largest = max(float(np.abs(one[1]).max()), 1e-12)
    return Agreement(
        pictures=len(one[0]),
        logit=float(np.abs(one[0] - other[0]).max()),
        features=float(np.abs(one[1] - other[1]).max()) / largest,
    )


def check_agreement(found: Agreement) -> None:
    """Refuse an ONNX graph that gives other scores than the network it was made of.

    Raises:
        BundleError: says by how much.
    """
    if not found.logit <= TOLERANCE:
        raise BundleError(
            f"the ONNX graph's logits are {found.logit:.2g} from PyTorch's, more than "
            f"{TOLERANCE:g}",
            why="a served score would be another than the one that was measured",
            next_step="train longer or another backbone: logits this large lose digits in fp32",
        )
