"""An ONNX graph from bytes to a session that runs it, and nothing that it should not. No torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from deepfake_lightning.errors import BundleError

INPUT, OUTPUTS = "image", ("logit", "features")
_AT_ONCE = 4
"""Pictures in one run. What 32 of 224 pixels' side leave between two layers does not fit a core's
cache, and each takes a fifth longer than of 4 (EfficientNet-B0; ``scripts/bench/engine.py``).
"""


def open_session(data: bytes, name: str, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session on the CPU.

    Args:
        data: the graph, with its weights in it.
        name: of the file, for messages.
        threads: how many one run may use.

    Raises:
        BundleError: it is no ONNX graph of a detector, or it refers to files outside of itself.
    """
    _check(data, name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads sleep: other processes work beside this one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What has been looked into is what is run: bytes can be of two formats at once.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen kinds of its own
        raise BundleError(
            f"{name} cannot be run: {str(error).splitlines()[0][:300]}",
            next_step="build the bundle anew with this version of deepfake-lightning",
        ) from error


def run_session(
    session: onnxruntime.InferenceSession, images: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return logits [B] and features [B, F] of inputs float32 [B, 3, S, S]; B is 1 or more."""
    parts = [
        session.run(list(OUTPUTS), {INPUT: images[at : at + _AT_ONCE]})
        for at in range(0, len(images), _AT_ONCE)
    ]
    if len(parts) == 1:
        logit, features = parts[0]
        return logit, features
    logits, rows = zip(*parts, strict=True)
    return np.concatenate(logits), np.concatenate(rows)


def _check(data: bytes, name: str) -> None:
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as error:
        raise BundleError(f"{name} is not an ONNX graph", next_step="build it anew") from error
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    if model.functions or any(each.HasField("g") or each.graphs for each in attributes):
        raise BundleError(
            f"{name} has loops, branches or functions of its own",
            why="no detector has, and they could run for ever",
            next_step="build it anew",
        )
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise BundleError(
            f"{name} takes numbers from other files",
            why="a bundle holds all that is needed, and reads nothing else of this machine",
            next_step="build it anew",
        )
    given = [value.name for value in model.graph.input]
    made = tuple(value.name for value in model.graph.output)
    if given != [INPUT] or made != OUTPUTS:
        raise BundleError(
            f"{name} maps {given} to {list(made)}, and not {[INPUT]} to {list(OUTPUTS)}",
            next_step="build it anew",
        )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of a graph that has no graphs within it."""
    yield from model.graph.initializer
    sparse = list(model.graph.sparse_initializer)
    for node in model.graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for each in sparse:
        yield from (each.values, each.indices)
