"""The shares of splits that are drawn."""

from __future__ import annotations

from collections.abc import Mapping

from deepfake_lightning.errors import UsageError

DRAWN_SPLITS = ("train", "val", "calib", "test", "gate")


def check_shares(shares: Mapping[str, float], flag: str = "data.splits") -> dict[str, float]:
    """Return the shares in the order train, val, calib, test, gate, without the zero ones.

    Args:
        shares: split name -> share.
        flag: where they were given, for messages.

    Raises:
        UsageError: an unknown split, a negative share, or a sum other than 1.
    """
    unknown = set(shares) - set(DRAWN_SPLITS)
    if unknown:
        raise UsageError(
            f"{flag}: unknown split {', '.join(sorted(unknown))}",
            next_step=f"use {', '.join(DRAWN_SPLITS)}",
        )
    total = sum(shares.values())
    # Written so that NaN is refused, too.
    if not (abs(total - 1.0) <= 1e-6 and min(shares.values(), default=0.0) >= 0):
        raise UsageError(
            f"{flag}: shares {dict(shares)} add up to {total:g}",
            next_step="give shares of 0 or more that add up to 1",
        )
    return {name: shares[name] for name in DRAWN_SPLITS if shares.get(name, 0.0) > 0}


def shares_of(shares: Mapping[str, float], splits: tuple[str, ...]) -> dict[str, float]:
    """Return the shares of some of the splits, scaled to a sum of 1; empty where all are 0."""
    chosen = {name: shares[name] for name in splits if shares.get(name, 0.0) > 0}
    total = sum(chosen.values())
    return {name: share / total for name, share in chosen.items()}
