"""The subjects of the report's tests."""

from __future__ import annotations

import runpy
from pathlib import Path

_REPORT = runpy.run_path(str(Path(__file__).parents[1] / "report" / "conftest.py"))
make_subject, noisy, fitted = (_REPORT[name] for name in ("make_subject", "noisy", "fitted"))
