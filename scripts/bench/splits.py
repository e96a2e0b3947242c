"""How long the splits of large manifests take, and how much of crossing fakes is kept.

The floor is what no splitting can do without: telling each row's names apart (``pandas.factorize``
of its group, target and source). Tables are drawn: pairs of clips, lone clips, one component of 59
people (Celeb-DF's shape) and of 5,000::

    python scripts/bench/splits.py --rows 1000000
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from common import print_json, print_table

from deepfake_lightning.data.splits import SHARES, draw

CASES = {"pairs of clips": 0, "every row its own group": -1, "one component of 59 people": 59,
         "one component of 5,000 people": 5000}  # fmt: skip


def table(rows: int, people: int) -> pd.DataFrame:
    """Return manifest rows: real and fake in turn, fakes between two people drawn at random."""
    generator, numbers = np.random.default_rng(0), np.arange(rows)
    labels = numbers % 2
    if people > 0:
        target = generator.integers(0, people, rows)
        source = generator.integers(0, people, rows)
    else:
        target = numbers // 2 if people == 0 else numbers
        source = np.where(target % 2, target - 1, target + 1) if people == 0 else target
    names = pd.Series(target).astype("string")
    return pd.DataFrame(
        {
            "path": pd.Series(numbers).astype("string"),
            "label": pd.array(labels, "Int64"),
            "media_type": "video",
            "video_id": pd.Series(numbers).astype("string"),
            "group_id": names,
            "target_id": names,
            "source_id": pd.Series(source).astype("string").where(labels == 1),
            "method": pd.Series(np.where(labels, "swap", None), dtype="string"),
            "dataset": "drawn",
        }
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each (default: 1,000,000)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    lines, result = [], {}
    for name, people in CASES.items():
        rows = table(args.rows, people)
        began = time.perf_counter()
        for column in ("group_id", "target_id", "source_id"):
            pd.factorize(rows[column])
        floor = time.perf_counter() - began
        began = time.perf_counter()
        found = draw(rows, SHARES, 0, "auto")
        seconds = time.perf_counter() - began
        kept = [
            f"{one.kept / one.ties:.1%} ({one.expected:.1%})"
            for one in found.datasets
            if one.expected is not None and one.ties
        ]
        lines.append([name, f"{floor:.1f}", f"{seconds:.1f}", f"{seconds / floor:.0f}",
                      "; ".join(kept)])  # fmt: skip
        result[name] = {"floor_s": round(floor, 2), "seconds": round(seconds, 2)}
    print(f"{args.rows:,} rows, seconds")
    print_table([["", "factorize", "draw", "ratio", "fakes kept, against chance"], *lines])
    if args.json:
        print_json("splits", {"rows": args.rows, "cases": result})


if __name__ == "__main__":
    main()
