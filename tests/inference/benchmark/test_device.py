"""What a machine is said to be."""

from __future__ import annotations

import getpass
import json
import os
import platform
from pathlib import Path

import onnxruntime

from deepfake_lightning.inference.benchmark import device_record
from deepfake_lightning.inference.benchmark.device import DeviceRecord, GpuRecord


def test_this_machine() -> None:
    found = device_record()
    assert found.cores == len(os.sched_getaffinity(0)) <= found.cores_in_machine
    assert found.memory_gb is not None and 0.5 < found.memory_gb < 1e5
    assert found.cpu and found.python == platform.python_version()
    assert found.packages["onnxruntime"] == onnxruntime.__version__
    assert platform.release() in found.os


def test_it_is_json_without_names_of_machine_and_user() -> None:
    gpu = GpuRecord(name="G", memory_gb=80.0, driver=None, cuda="12.8")
    text = json.dumps(device_record(gpu).to_dict(), allow_nan=False)
    record = json.loads(text)
    assert record["schema"] == 1 and record["gpu"]["name"] == "G"
    assert DeviceRecord.model_validate(record) == device_record(gpu)
    values = [str(value) for value in record.values()]
    assert platform.node() not in values and getpass.getuser() not in values
    assert str(Path.home()) not in text


def test_a_core_that_is_taken_away_is_seen() -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert device_record().cores == 1
    finally:
        os.sched_setaffinity(0, cores)
