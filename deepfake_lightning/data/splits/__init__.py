"""Splits by identity: nothing that belongs together stands on two sides."""

from __future__ import annotations

from deepfake_lightning.data.splits.checking import HELD_APART, check_classes, check_splits, leaks
from deepfake_lightning.data.splits.draw import USELESS, DataSetDraw, Unit, draw
from deepfake_lightning.data.splits.drawing import draw_splits, with_splits
from deepfake_lightning.data.splits.identities import identity_groups, identity_names
from deepfake_lightning.data.splits.page import split_page
from deepfake_lightning.data.splits.protocols import (
    SHARES,
    SplitPolicy,
    Splitting,
    split_manifest,
)
from deepfake_lightning.data.splits.report import SplitReport, report
from deepfake_lightning.data.splits.shares import DRAWN_SPLITS, check_shares

__all__ = [
    "DRAWN_SPLITS",
    "HELD_APART",
    "SHARES",
    "USELESS",
    "DataSetDraw",
    "SplitPolicy",
    "SplitReport",
    "Splitting",
    "Unit",
    "check_classes",
    "check_shares",
    "check_splits",
    "draw",
    "draw_splits",
    "identity_groups",
    "identity_names",
    "leaks",
    "report",
    "split_manifest",
    "split_page",
    "with_splits",
]
