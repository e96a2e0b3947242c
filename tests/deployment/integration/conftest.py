"""Versions that are good, and such that are broken in one way each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from deepfake_lightning.bundle.load import GOLDEN, ONNX
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace


@pytest.fixture
def add_version(
    workspace: Workspace, crop_bundle, replace_file, tmp_path: Path
) -> Callable[..., str]:
    """Return a function that registers a changed bundle: ``add_version("v3.0.0", name, change)``.

    ``change`` gets the bytes of the file and returns others; all hashes fit them, as where the
    bundle was built so.
    """

    def add(version: str, name: str, change: Callable[[bytes], bytes]) -> str:
        folder = shutil.copytree(crop_bundle.folder, tmp_path / f"bundle-{version}")
        replace_file(folder, name, change((folder / name).read_bytes()))
        register_bundle(Registry(workspace), folder, Wish(version))
        return version

    return add


@pytest.fixture
def other_golden(add_version) -> str:
    """Return a version whose golden pictures are recorded with other scores."""

    def change(data: bytes) -> bytes:
        record = json.loads(data)
        for picture in record["pictures"]:
            picture["logit"] = None if picture["logit"] is None else picture["logit"] + 1
        return json.dumps(record).encode()

    return add_version("v3.0.0", GOLDEN, change)


@pytest.fixture
def slow(add_version) -> str:
    """Return a version whose network does far more than its scores need."""
    return add_version("v3.1.0", ONNX, _slowed)


def _slowed(data: bytes, side: int = 512, runs: int = 12) -> bytes:
    """Return a graph with products of matrices, zeros of which are added to its logit."""
    model = onnx.load_from_string(data)
    graph = model.graph
    last = next(node for node in graph.node if "logit" in node.output)
    last.output[list(last.output).index("logit")] = "fast_logit"
    zeros = numpy_helper.from_array(np.zeros((side, side), np.float32), "slow_zeros")
    graph.initializer.append(zeros)
    nodes = [
        helper.make_node("ReduceMean", [graph.input[0].name], ["slow_mean"], keepdims=0),
        helper.make_node("Add", ["slow_zeros", "slow_mean"], ["slow_0"]),
    ]
    nodes += [
        helper.make_node("MatMul", [f"slow_{number}", "slow_zeros"], [f"slow_{number + 1}"])
        for number in range(runs)
    ]
    nodes += [
        helper.make_node("ReduceMean", [f"slow_{runs}"], ["slow_nothing"], keepdims=0),
        helper.make_node("Add", ["fast_logit", "slow_nothing"], ["logit"]),
    ]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model.SerializeToString()
