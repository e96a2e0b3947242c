"""A sweep as a program runs it: search, look at what came of it, train with the best values.

The command does the same, with a progress bar: ``deepfake-lightning tune --config
configs/sweep.yaml``. Run::

    python scripts/sweep.py --config configs/sweep.yaml --trials 10 --workers 2
"""

from __future__ import annotations

import argparse

from deepfake_lightning.tuning import read_sweep, run_sweep


def main() -> None:
    """Search, and print the best values beside the base's own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", default="configs/sweep.yaml", help="the sweep")
    parser.add_argument("--trials", type=int, help="that are to be finished in all")
    parser.add_argument("--workers", type=int, help="processes")
    parser.add_argument("--workspace", help="where results go (default: mlops)")
    args = parser.parse_args()
    sweep = read_sweep(args.config, trials=args.trials, workers=args.workers)
    result = run_sweep(sweep, workspace=args.workspace)
    print(f"{result.status}: {result.counts}")
    for name, trial in (("best", result.best), ("default", result.default)):
        if trial is not None:
            print(f"{name}: trial {trial.number}, {result.objective} {trial.value}, "
                  f"{dict(trial.values)}")  # fmt: skip
    print(f"train it: deepfake-lightning fit --config {result.base} --config "
          f"{result.folder / 'best.yaml'}")  # fmt: skip


if __name__ == "__main__":
    main()
