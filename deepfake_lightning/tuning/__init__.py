"""Sweeps: hyperparameters chosen on validation, by Optuna, with the training of ``fit``.

``sweep`` is what a sweep file says, ``space`` its search space and ``checking`` what is refused
before anything trains; ``study`` opens Optuna's storage, ``claiming`` hands out trials and takes
up those of killed processes; ``run`` starts a ``crew`` of processes, each a ``worker`` that is
told its ``job`` and trains one ``trial`` after another. ``record`` is what came of it, ``words``,
``figures``, ``parallel`` and ``page`` show it, ``files`` write it, ``registering`` trains the best
anew. Names are imported when they are first used: a worker draws nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepfake_lightning.tuning.record import SweepResult, TrialRecord
    from deepfake_lightning.tuning.run import run_sweep
    from deepfake_lightning.tuning.sweep import Sweep, read_sweep

_HOMES = {
    "Sweep": "deepfake_lightning.tuning.sweep",
    "SweepResult": "deepfake_lightning.tuning.record",
    "TrialRecord": "deepfake_lightning.tuning.record",
    "read_sweep": "deepfake_lightning.tuning.sweep",
    "run_sweep": "deepfake_lightning.tuning.run",
}

__all__ = ["Sweep", "SweepResult", "TrialRecord", "read_sweep", "run_sweep"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
