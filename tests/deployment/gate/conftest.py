"""Evidence to judge, in which nothing is wrong until a test says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deepfake_lightning.deployment.gate.evidence import (
    Asked,
    Compared,
    Evidence,
    Facts,
    KindMeasured,
    Measured,
    MethodMeasured,
    ServerTrial,
    Staging,
    Timed,
)
from deepfake_lightning.deployment.integration import IntegrationCheck
from deepfake_lightning.metrics import Interval, PairedDifference

AT = "2030-01-02T03:04:05+00:00"


def share(value: float | None, reach: float = 0.05) -> Interval:
    if value is None:
        return Interval(None, None, None)
    return Interval(value, max(value - reach, 0.0), min(value + reach, 1.0))


def difference(name: str = "auroc", by: float = 0.0, reach: float = 0.01, **more: Any):
    verdict = "cannot tell" if abs(by) <= reach else "better" if by > 0 else "worse"
    given = {"low": by - reach, "high": by + reach, "p": 0.5, "p_adjusted": 0.5} | more
    return PairedDifference(name, 0.9, 0.9 + by, by, verdict=verdict, **given)


def fine() -> Evidence:
    facts = {"size_mb": 27.0, "calibrated": ("image", "video"), "licences": ("own",),
             "findings": ()}  # fmt: skip
    return Evidence(
        Asked("v1.1.0", "production", "deploy", AT, "ada", "the spring release"),
        Facts("v1.1.0", "b" * 64, **facts),
        Facts("v1.0.0", "a" * 64, **facts),
        staging=Staging(serves=True),
        measured=Measured(
            "data/manifest.parquet", "c" * 64, 400, 400, 0, 200, 2, 2, share(0.92),
            (KindMeasured("image", 400, 400, share(0.6), share(0.01), 0.03),),
            (MethodMeasured("faceswap", 200, share(0.93), share(0.7)),
             MethodMeasured("reenactment", 200, share(0.91), share(0.5))),
            findings=(),
        ),
        compared=Compared(
            {"auroc": difference(by=0.02), "brier": difference("brier", -0.01, 0.02)},
            "v1.1.0 is better than v1.0.0",
        ),
        timed=Timed(30.0, 28.0, 1.07, 0.05),
        tested=ServerTrial(
            (IntegrationCheck("ready", True, "up after 2 s", 2.0, 60.0, "s"),), (), (), 20.0, AT
        ),
    )  # fmt: skip


@pytest.fixture
def evidence() -> Evidence:
    """Return evidence of a better candidate in which nothing is wrong."""
    return fine()


@pytest.fixture
def change():
    """Return a function that changes evidence: ``change(evidence, "asked", force=True)``."""

    def changed(found: Evidence, part: str, **values: Any) -> Evidence:
        return replace(found, **{part: replace(getattr(found, part), **values)})

    return changed
