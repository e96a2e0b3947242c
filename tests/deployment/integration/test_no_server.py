"""What is known of a version before a server is started."""

from __future__ import annotations

import pytest

from deepfake_lightning.bundle.load import ONNX
from deepfake_lightning.deployment.integration import run_integration_tests
from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry import Registry


@pytest.fixture
def damaged(workspace):
    """Return a version with another byte in its network."""
    path = Registry(workspace).folder("v1.1.0") / ONNX
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    return "v1.1.0"


def test_a_damaged_version_fails_at_once_and_its_file_is_named(workspace, damaged):
    report = run_integration_tests(workspace, damaged, "v1.0.0")
    assert not report.passed and report.seconds < 30
    assert [check.name for check in report.failures] == ["ready"]
    assert report.failures[0].says.startswith("v1.1.0 cannot be served: ")
    assert "model.onnx" in report.failures[0].says
    assert report.not_run == ("load", "golden", "known", "bad_uploads", "stop")


@pytest.mark.parametrize(("load", "noted"), [(0.5, False), (9.0, True)])
def test_a_busy_machine_is_noted_as_times_say_little_then(
    workspace, damaged, monkeypatch, load, noted
):
    monkeypatch.setattr("os.getloadavg", lambda: (load, load, load))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    notes = run_integration_tests(workspace, damaged).notes
    assert [note.startswith("the machine was busy") for note in notes] == [True] * noted
    assert all("9 processes for 2 cores" in note for note in notes)


def test_a_version_that_is_not_registered_is_the_callers_mistake(workspace):
    with pytest.raises(UsageError, match=r"v9\.0\.0 is not registered"):
        run_integration_tests(workspace, "v9.0.0")
