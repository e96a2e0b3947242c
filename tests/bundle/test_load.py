"""Bundles that fit their hashes and are hostile, foreign or damaged all the same."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.numpy import save

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import SUMS, write_sums
from deepfake_lightning.bundle.onnx_session import open_session
from deepfake_lightning.errors import BundleError
from deepfake_lightning.inference import open_engine
from deepfake_lightning.models import DeepfakeDetector

Copy = Callable[..., Path]
Replace = Callable[[Path, str, bytes], None]
RECORDS = ("bundle.json", "preprocess.json", "calibration.json")


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def pickled(marker: Path) -> bytes:
    return pickle.dumps(Bomb(marker))


def of_torch(marker: Path) -> bytes:
    """Return what ``torch.save`` makes: a zip with a pickle in it."""
    buffer = io.BytesIO()
    torch.save({"state_dict": {}, "bomb": Bomb(marker)}, buffer)
    return buffer.getvalue()


def old_torch(marker: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({"bomb": Bomb(marker)}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def zipped_code(marker: Path) -> bytes:
    """Return an archive that Python would run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("__main__.py", f"import pathlib; pathlib.Path({str(marker)!r}).touch()")
    return buffer.getvalue()


def script(marker: Path) -> bytes:
    return f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n".encode()


@pytest.mark.parametrize("make", [pickled, of_torch, old_torch, zipped_code, script])
@pytest.mark.parametrize(
    ("name", "runtime"), [("model.onnx", "onnx"), ("model.safetensors", "torch")]
)
def test_code_in_the_place_of_weights_is_refused_and_not_run(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, tmp_path: Path,
    make: Callable[[Path], bytes], name: str, runtime: Any,
) -> None:  # fmt: skip
    bundle, marker = copy_bundle(crop_bundle), tmp_path / "ran"
    replace_file(bundle, name, make(marker))
    with pytest.raises(BundleError, match=re.escape(str(bundle / name))):
        open_engine(bundle, runtime=runtime)
    assert not marker.exists()


@pytest.mark.parametrize("make", [pickled, of_torch, zipped_code])
@pytest.mark.parametrize("name", ["reference.safetensors", *RECORDS])
def test_code_elsewhere_is_not_run_either(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, tmp_path: Path,
    make: Callable[[Path], bytes], name: str,
) -> None:  # fmt: skip
    bundle, marker = copy_bundle(crop_bundle), tmp_path / "ran"
    replace_file(bundle, name, make(marker))
    if name in RECORDS:
        with pytest.raises(BundleError, match=re.escape(str(bundle / name))):
            load_bundle(bundle)
    else:
        open_engine(bundle)
        open_engine(bundle, runtime="torch")
    assert not marker.exists()


def graph(
    size: int = 32, *, given: str = "image", made: tuple[str, ...] = ("logit", "features")
) -> onnx.ModelProto:
    """Return a graph that is made like a detector's: the mean of a picture as its score."""
    nodes = [
        helper.make_node("ReduceMean", [given, "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], [made[0]]),
        *(helper.make_node("GlobalAveragePool", [given], [name]) for name in made[1:]),
    ]
    weights = [
        onnx.numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
        onnx.numpy_helper.from_array(np.array([2.0], np.float32), "scale"),
    ]
    picture = helper.make_tensor_value_info(given, TensorProto.FLOAT, ["b", 3, size, size])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in made]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [picture], outputs, weights),
        opset_imports=[helper.make_opsetid("", 18)],
    )
    model.ir_version = 10
    return model


def external(tensor: TensorProto, location: str) -> TensorProto:
    """Return a tensor whose numbers are in a file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "4"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def _scale() -> TensorProto:
    return external(onnx.numpy_helper.from_array(np.array([2.0], np.float32), "scale"), "w.bin")


def as_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer[1].CopyFrom(_scale())


def in_constant(model: onnx.ModelProto) -> None:
    del model.graph.initializer[1]
    model.graph.node.insert(0, helper.make_node("Constant", [], ["scale"], value=_scale()))


def in_branch(model: onnx.ModelProto) -> None:
    """Put it into a graph within the graph, that has a number and no step of work."""
    inner = [helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1])]
    branch = helper.make_graph([], "b", [], inner, [_scale()])
    del model.graph.initializer[1]
    yes = onnx.numpy_helper.from_array(np.array(True), "yes")
    model.graph.initializer.append(yes)
    model.graph.node.insert(
        0, helper.make_node("If", ["yes"], ["scale"], then_branch=branch, else_branch=branch)
    )


def in_function(model: onnx.ModelProto) -> None:
    del model.graph.initializer[1]
    body = [helper.make_node("Constant", [], ["out"], value=_scale())]
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "Scale", [], ["out"], body, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node.insert(0, helper.make_node("Scale", [], ["scale"], domain="own"))


def test_a_graph_of_one_s_own_can_be_run() -> None:
    """The graphs below are refused for what was done to them, not for how they are made."""
    session = open_session(graph().SerializeToString(), "g")
    logit, _ = session.run(None, {"image": np.ones((2, 3, 32, 32), np.float32)})
    assert logit.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("put", "fault"),
    [(as_initializer, "other files"), (in_constant, "other files"), (in_branch, "branches"),
     (in_function, "functions")],
)  # fmt: skip
def test_numbers_of_other_files_are_refused(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, put: Callable[[onnx.ModelProto], None], fault: str,
) -> None:  # fmt: skip
    model = graph()
    put(model)
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, "model.onnx", model.SerializeToString())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(np.array([3.0], np.float32).tobytes())
    with pytest.raises(BundleError, match=fault) as caught:
        open_engine(bundle)
    assert str(bundle / "model.onnx") in caught.value.what


def test_what_is_run_is_what_was_looked_into() -> None:
    """Bytes can be an ONNX graph and begin like a file of onnxruntime's own format at once."""
    unknown_field = b"\xc2\x3e\x84\x00ORTM"
    session = open_session(unknown_field + graph().SerializeToString(), "g")
    logit, _ = session.run(None, {"image": np.ones((1, 3, 32, 32), np.float32)})
    assert logit.tolist() == [2.0]


@pytest.mark.parametrize(
    "options",
    [{"given": "input"}, {"made": ("score", "features")}, {"made": ("logit",)},
     {"made": ("features", "logit")}, {"made": ("logit", "features", "more")}],
)  # fmt: skip
def test_graphs_with_other_inputs_or_outputs_are_refused(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, options: dict[str, Any]
) -> None:
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, "model.onnx", graph(**options).SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx maps .* to "):
        open_engine(bundle)


def test_a_graph_that_cannot_be_run_is_refused(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    model = graph()
    model.graph.node[1].op_type = "NoSuchStep"
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, "model.onnx", model.SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx cannot be run"):
        open_engine(bundle)


def _of_size(size: int) -> onnx.ModelProto:
    return graph(size)


def _wide_scores(_: int) -> onnx.ModelProto:
    model = graph()
    model.graph.node[0].attribute[0].i = 1  # keep the dimensions
    return model


def _whole_numbers(_: int) -> onnx.ModelProto:
    model = graph()
    model.graph.node[1].output[0] = "plain"
    model.graph.node.append(helper.make_node("Cast", ["plain"], ["logit"], to=TensorProto.INT64))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return model


@pytest.mark.parametrize(
    ("make", "size"), [(_of_size, 64), (_of_size, 16), (_wide_scores, 0), (_whole_numbers, 0)]
)
def test_a_graph_of_other_sizes_is_refused_before_it_scores(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace,
    make: Callable[[int], onnx.ModelProto], size: int,
) -> None:  # fmt: skip
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, "model.onnx", make(size).SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx, shown two pictures of 32 x 32"):
        open_engine(bundle)


def _of_another_network(folder: Path) -> bytes:
    from deepfake_lightning.bundle.export import export_weights

    return export_weights(DeepfakeDetector("test_resnet", pretrained=False))


def _without_head(folder: Path) -> bytes:
    from safetensors.numpy import load

    state = load((folder / "model.safetensors").read_bytes())
    return bytes(save({k: v for k, v in state.items() if not k.startswith("head.")}))


def _wider(folder: Path) -> bytes:
    from safetensors.numpy import load

    state = load((folder / "model.safetensors").read_bytes())
    state["head.weight"] = np.concatenate([state["head.weight"]] * 2)
    return bytes(save(state))


def _half(folder: Path) -> bytes:
    data = (folder / "model.safetensors").read_bytes()
    return data[: len(data) // 2]


def _huge_header(folder: Path) -> bytes:
    return (1 << 62).to_bytes(8, "little") + b"{}"


@pytest.mark.parametrize("make", [_of_another_network, _without_head, _wider, _half, _huge_header])
def test_other_weights_are_refused(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, make: Callable[[Path], bytes]
) -> None:
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, "model.safetensors", make(bundle))
    with pytest.raises(BundleError, match=r"model\.safetensors does not hold the weights of"):
        open_engine(bundle, runtime="torch")


@pytest.mark.parametrize("backbone", ["no_such_network", "hf-hub:someone/model", "", "../x"])
def test_a_network_that_timm_does_not_know_is_refused(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, backbone: str
) -> None:
    bundle = copy_bundle(crop_bundle)
    record = json.loads((bundle / "bundle.json").read_text())
    replace_file(bundle, "bundle.json", json.dumps({**record, "backbone": backbone}).encode())
    with pytest.raises(BundleError):
        open_engine(bundle, runtime="torch")


def test_the_layout_says_whether_there_is_a_test_time_flip(
    crop_bundle: Any, frame_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    """Programs that know no flip would score without it: they know no schema 2 either."""
    flipped, plain = (
        json.loads((one.folder / "bundle.json").read_text()) for one in (crop_bundle, frame_bundle)
    )
    assert (flipped["schema"], flipped["test_time_flip"]) == (2, True)
    assert plain["schema"] == 1 and "test_time_flip" not in plain
    assert load_bundle(crop_bundle.folder).record.test_time_flip
    assert not load_bundle(frame_bundle.folder).record.test_time_flip
    assert "with its mirror image" in (crop_bundle.folder / "MODEL_CARD.md").read_text()
    bundle = copy_bundle(crop_bundle)
    for changed, says in (({"schema": 3}, r"schema 3 is newer .* \(2\)"),
                          ({"schema": 1}, "schema 2 is of bundles"),
                          ({"test_time_flip": False}, "schema 2 is of bundles")):  # fmt: skip
        replace_file(bundle, "bundle.json", json.dumps({**flipped, **changed}).encode())
        with pytest.raises(BundleError, match=says):
            load_bundle(bundle)


BAD_JSON = {
    "empty": b"",
    "half": b'{"schema": 1, ',
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "no fields of it": b'{"schema": 1, "colour": "red"}',
    "deeply nested": b"[" * 200_000,
    "deeply nested, whole": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number of many digits": b'{"schema": ' + b"9" * 10_000 + b"}",
    "bytes": bytes(range(256)),
    "UTF-16": '{"schema": 1}'.encode("utf-16"),
    "NaN": b'{"schema": NaN}',
    "schema 0": b'{"schema": 0}',
    "schema as text": b'{"schema": "1"}',
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("what", BAD_JSON)
def test_records_that_are_none_are_refused(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, name: str, what: str
) -> None:
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, name, BAD_JSON[what])
    with pytest.raises(BundleError, match=re.escape(str(bundle / name))) as caught:
        load_bundle(bundle)
    assert caught.value.exit_code == 2
    assert len(str(caught.value)) < 1000


FIELDS: list[tuple[str, str, Any]] = [
    ("bundle.json", "version", "../../etc"),
    ("bundle.json", "version", 1),
    ("bundle.json", "classes", ["fake", "real"]),
    ("bundle.json", "demo", "perhaps"),
    ("bundle.json", "features", 0),
    ("bundle.json", "agreement", {}),
    ("preprocess.json", "size", 10**9),
    ("preprocess.json", "size", "large"),
    ("preprocess.json", "mean", [0.5, 0.5]),
    ("preprocess.json", "mean", [float("nan"), 0.5, 0.5]),
    ("preprocess.json", "std", [0.0, 1.0, 1.0]),
    ("preprocess.json", "margin", float("nan")),
    ("preprocess.json", "input", "anything"),
    ("preprocess.json", "sampling", "even:0"),
    ("preprocess.json", "unknown", 1),
    ("calibration.json", "image", {"temperature": float("nan"), "indicated_from": 1.0,
                                   "clear_below": 0.0, "items": 9}),
    ("calibration.json", "image", {"temperature": -1.0, "indicated_from": 1.0,
                                   "clear_below": 0.0, "items": 9}),
    ("calibration.json", "video", {"temperature": 1.0, "indicated_from": float("inf"),
                                   "clear_below": 0.0, "items": 9}),
    ("calibration.json", "video", {"temperature": 1.0, "indicated_from": 0.0,
                                   "clear_below": 1.0, "items": 9}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "field", "value"), FIELDS)
def test_values_that_cannot_be_are_refused(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, name: str, field: str, value: Any
) -> None:
    bundle = copy_bundle(crop_bundle)
    record = json.loads((bundle / name).read_text())
    replace_file(bundle, name, json.dumps({**record, field: value}).encode())
    with pytest.raises(BundleError, match=re.escape(str(bundle / name))):
        load_bundle(bundle)


@pytest.mark.parametrize("name", RECORDS)
def test_a_newer_schema_says_to_upgrade(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, name: str
) -> None:
    bundle = copy_bundle(crop_bundle)
    record = json.loads((bundle / name).read_text())
    replace_file(bundle, name, json.dumps({**record, "schema": 3, "more": {}}).encode())
    with pytest.raises(BundleError, match="schema 3 is newer") as caught:
        load_bundle(bundle)
    assert "upgrade" in caught.value.next_step


def test_the_command_line_exits_2_and_names_the_file(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, "calibration.json", b'{"schema": NaN}')
    command = [sys.executable, "-m", "deepfake_lightning", "bundle", "verify", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert str(bundle / "calibration.json") in done.stderr
    assert "Traceback" not in done.stderr


def _byte(bundle: Path) -> None:
    path = bundle / "model.onnx"
    path.write_bytes(path.read_bytes() + b"x")


def _rehashed(bundle: Path) -> None:
    _byte(bundle)
    write_sums(bundle)


def _removed(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()


def _made_a_folder(bundle: Path) -> None:
    _removed(bundle)
    (bundle / "model.onnx").mkdir()


def _list_removed(bundle: Path) -> None:
    (bundle / SUMS).unlink()


def _all_gone(bundle: Path) -> None:
    bundle.rename(bundle.parent / "elsewhere")


@pytest.mark.parametrize(
    "change", [_byte, _rehashed, _removed, _made_a_folder, _list_removed, _all_gone]
)
def test_a_bundle_that_changes_after_it_was_loaded_is_refused(
    crop_bundle: Any, copy_bundle: Copy, change: Callable[[Path], None]
) -> None:
    path = copy_bundle(crop_bundle)
    bundle = load_bundle(path)
    assert bundle.read("model.onnx")
    change(path)
    with pytest.raises(BundleError, match=re.escape(str(path))):
        bundle.read("model.onnx")


@pytest.mark.parametrize("name", ["../bundle/model.onnx", "/etc/hostname", SUMS, "golden", ""])
def test_only_files_of_the_list_are_read(crop_bundle: Any, name: str) -> None:
    with pytest.raises(BundleError):
        load_bundle(crop_bundle.folder).read(name)


def test_loading_reads_nothing_but_the_folder(crop_bundle: Any, tmp_path: Path) -> None:
    """A relative path means what it means here, and no cache is written."""
    before = sorted(p.name for p in crop_bundle.folder.iterdir())
    relative = Path(os.path.relpath(crop_bundle.folder, Path.cwd()))
    assert load_bundle(relative).digest == load_bundle(crop_bundle.folder).digest
    assert sorted(p.name for p in crop_bundle.folder.iterdir()) == before
