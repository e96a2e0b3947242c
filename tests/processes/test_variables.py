"""Variables are set for a while."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from deepfake_lightning.processes import variables


def test_they_reach_what_is_started_and_are_as_they_were_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEEPFAKE_THERE", "before")
    monkeypatch.delenv("DEEPFAKE_NEW", raising=False)
    ask = "import os; print(os.environ['DEEPFAKE_THERE'], os.environ['DEEPFAKE_NEW'])"
    with (
        pytest.raises(ValueError, match="an error inside"),
        variables({"DEEPFAKE_THERE": "now", "DEEPFAKE_NEW": "x"}),
    ):
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
        assert done.stdout == "now x\n"
        raise ValueError("an error inside")
    assert os.environ["DEEPFAKE_THERE"] == "before"
    assert "DEEPFAKE_NEW" not in os.environ
