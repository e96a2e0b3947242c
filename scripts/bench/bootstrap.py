"""How long cluster-bootstrap intervals take, against a plain loop over scikit-learn.

The loop is what one writes without this package: draw groups, copy their rows, call
scikit-learn for each metric. Both work on the same resamples of one drawn table in turn, their
values are compared, and the medians of their times give the ratio. ``summary_draws`` uses one
thread for so few resamples, as the loop does::

    python scripts/bench/bootstrap.py --rows 1000000 --groups 10000
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import sklearn.metrics as sk
from common import figures, print_json, print_table, spread, verdict
from numpy.typing import NDArray

from deepfake_lightning import metrics
from deepfake_lightning.metrics.resampling import resample

Table = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.intp]]
GOAL_SECONDS = 60


def table(rows: int, groups: int) -> Table:
    """Return logits, labels and groups; both classes and an effect of its own in each group."""
    generator = np.random.default_rng(0)
    group = generator.permutation(np.arange(rows) % groups)
    labels = generator.integers(0, 2, rows)
    logits = generator.normal(size=rows) + generator.normal(size=groups)[group] + 3 * labels - 1.5
    return logits, labels, group


def plain_loop(data: Table, times: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return metrics of resamples [D] by copies of rows; ``times`` [D, G], how often each group."""
    logits, labels, groups = data
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    found = []
    for drawn in times:
        chosen = np.repeat(np.arange(len(drawn)), drawn.astype(int))
        rows = np.concatenate([members[group] for group in chosen])
        scores, truth = logits[rows], labels[rows]
        called, chance = scores >= 0, metrics.sigmoid(scores)
        fpr, tpr, _ = sk.roc_curve(truth, scores)
        found.append(
            {
                "accuracy": sk.accuracy_score(truth, called),
                "balanced_accuracy": sk.balanced_accuracy_score(truth, called),
                "precision": sk.precision_score(truth, called),
                "recall": sk.recall_score(truth, called),
                "f1": sk.f1_score(truth, called),
                "auroc": sk.roc_auc_score(truth, scores),
                "average_precision": sk.average_precision_score(truth, scores),
                "tpr_at_fpr_1": tpr[fpr <= 0.01].max(),
                "log_loss": sk.log_loss(truth, chance),
                "brier": sk.brier_score_loss(truth, chance),
            }
        )
    return {name: np.array([one[name] for one in found]) for name in found[0]}


def draws_of(groups: NDArray[np.intp], draws: int) -> NDArray[np.float64]:
    """Return how often ``summary_draws`` draws each group, [D, G]."""
    times = np.empty((draws, int(groups.max()) + 1))

    def fill(start: int, part: NDArray[np.float64]) -> None:
        times[start : start + len(part)] = part

    resample(groups, draws, 0, fill)
    return times


def against_loop(rows: int, groups: int, draws: int, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of both, taken in turn; raises where their values differ."""
    data = table(rows, groups)
    times = draws_of(data[2], draws)
    seconds: dict[str, list[float]] = {"plain loop": [], "summary_draws": []}
    names = list(plain_loop(data, times[:1]))
    for _ in range(repeats):
        began = time.perf_counter()
        plain = plain_loop(data, times)
        seconds["plain loop"].append(time.perf_counter() - began)
        began = time.perf_counter()
        found = metrics.summary_draws(*data, draws=draws, names=names)
        seconds["summary_draws"].append(time.perf_counter() - began)
        for name, values in plain.items():
            np.testing.assert_allclose(found[name][0], values, rtol=1e-9, err_msg=name)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--groups", type=int, default=10_000, help="default: 10,000")
    parser.add_argument("--draws", type=int, default=2000, help="default: 2,000")
    parser.add_argument("--loop-rows", type=int, default=100_000, help="default: 100,000")
    parser.add_argument("--loop-groups", type=int, default=1000, help="default: 1,000")
    parser.add_argument("--loop-draws", type=int, default=20, help="default: 20")
    parser.add_argument("--repeats", type=int, default=5, help="of the comparison (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    data = table(args.rows, args.groups)
    began, used = time.perf_counter(), time.process_time()
    metrics.summary_intervals(*data, draws=args.draws)
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    print(
        f"{args.draws:,} resamples of {args.rows:,} rows in {args.groups:,} groups, every metric:"
    )
    print(f"{wall:.1f} s ({cpu:.1f} s of processor), {verdict(wall, GOAL_SECONDS, at_least=False)}")
    seconds = against_loop(args.loop_rows, args.loop_groups, args.loop_draws, args.repeats)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians["plain loop"] / medians["summary_draws"]
    print(
        f"\n{args.loop_draws:,} resamples of {args.loop_rows:,} rows in {args.loop_groups:,} groups"
    )
    print(f"10 metrics with equal values, {args.repeats} times in turn:")
    print_table([["", "seconds"], *([name, spread(got, 2)] for name, got in seconds.items())])
    print(f"ratio {ratio:.1f}")
    if args.json:
        result = {name: figures(values) for name, values in seconds.items()}
        print_json("bootstrap", {"wall_s": round(wall, 1), "cpu_s": round(cpu, 1),
                                 "ratio": round(ratio, 1), **result})  # fmt: skip


if __name__ == "__main__":
    main()
