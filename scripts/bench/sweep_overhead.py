"""What a trial of a sweep costs beside the same training with ``fit``.

Both train the same configuration on the same data, and take turns. ``fit`` is called as a function
in this process, with its audit of the data and its report of the validation split off, as in
trials; a trial is claimed from a study in a journal, trained with pruning and hyperparameter logs,
told to the study, and its checkpoints are sorted out. A worker audits its data once, ``fit`` each
time: with ``--audit`` that counts for both sides, without it for neither. The start of a worker's
process (its imports) is paid once a sweep, and printed apart. Run::

    python scripts/bench/sweep_overhead.py
    python scripts/bench/sweep_overhead.py --audit --rounds 3
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from common import figures, print_json, print_table, restart_tuned, spread, verdict, write_pictures

from deepfake_lightning.data.audit import AuditReport, check_before_training
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.storage import Workspace
from deepfake_lightning.training.run import fit
from deepfake_lightning.tuning.claiming import Desk, present
from deepfake_lightning.tuning.space import distributions
from deepfake_lightning.tuning.study import open_storage, open_study, pruner_for, quiet_optuna
from deepfake_lightning.tuning.sweep import Sweep
from deepfake_lightning.tuning.trial import Setting, SweepData, run_trial

GOAL = 1.05
SETTINGS = {"model": {"lr": 0.001}}


def write_base(folder: Path, steps: int) -> Path:
    """Write pictures and the configuration both sides train."""
    pictures = write_pictures(folder / "pictures", train=32 * steps, val=64, size=64)
    base = {
        "seed_everything": 1,
        "model": {"backbone": "tf_efficientnet_lite0", "pretrained": False, "lr": 0.001},
        "data": {"root": str(pictures), "image_size": 64, "num_workers": 0},
        "trainer": {"max_epochs": 2, "enable_progress_bar": False},
    }
    path = folder / "base.yaml"
    path.write_text(yaml.safe_dump(base), encoding="utf-8")
    return path


def remembered() -> Callable[[Manifest, Any], AuditReport]:
    """Return an audit that is made once, so that neither side pays for it."""
    made: list[AuditReport] = []

    def check(manifest: Manifest, allowed: Any) -> AuditReport:
        if not made:
            made.append(check_before_training(manifest, allowed))
        return made[0]

    return check


def sides(folder: Path, base: Path, rounds: int, audit: bool) -> dict[str, Callable[[], object]]:
    """Return the two sides, each a function that trains once."""
    pruner = {"kind": "median", "startup_trials": 1000}  # it is asked, and never says yes
    sweep = Sweep(study="bench", base=str(base), trials=rounds + 1, pruner=pruner,
                  space={"model.lr": {"low": 1e-4, "high": 1e-2, "log": True}})  # fmt: skip
    place = Workspace(folder / "mlops")
    study = open_study(sweep, open_storage(None, place.tuning / sweep.study))
    study.pruner = pruner_for(sweep, 2)
    desk, data = Desk(sweep, study, place.tuning / sweep.study), SweepData(study)
    within = distributions(sweep.space, SETTINGS)
    check = check_before_training if audit else remembered()
    flags = ["fit", "--config", str(base), "--workspace", str(place.root), "--report=false",
             "--checkpoint.save_weights_only=true", "--keep_last=false"]  # fmt: skip

    def trial() -> None:
        claimed = desk.claim("bench", within)
        assert claimed is not None
        run_trial(Setting(sweep, place, data, "1"), study, claimed)

    return {"fit": lambda: fit(flags, check_data=check), "trial": trial}


def import_seconds() -> float:
    """Return how long a worker's process takes before its first trial."""
    start = time.perf_counter()
    code = "import deepfake_lightning.tuning.trial, deepfake_lightning.tuning.worker"
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print a table, a ratio and a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="trainings of each side")
    parser.add_argument("--steps", type=int, default=10, help="training steps of an epoch")
    parser.add_argument("--audit", action="store_true", help="count the audits of the data")
    args = parser.parse_args()
    restart_tuned()
    wall: dict[str, list[float]] = {"fit": [], "trial": []}
    cpu: dict[str, list[float]] = {"fit": [], "trial": []}
    with tempfile.TemporaryDirectory() as name, quiet_optuna():
        base = write_base(Path(name), args.steps)
        both = sides(Path(name), base, args.rounds, args.audit)
        with present(Path(name) / "mlops/tuning/bench", "bench"):
            for run in both.values():  # imports, and first calls
                run()
            for number in range(args.rounds):
                for side in sorted(both, reverse=bool(number % 2)):
                    start, used = time.perf_counter(), time.process_time()
                    both[side]()
                    wall[side].append(time.perf_counter() - start)
                    cpu[side].append(time.process_time() - used)
    ratios = [a / b for a, b in zip(cpu["trial"], cpu["fit"], strict=True)]
    rows = [[side, spread(wall[side], 2), spread(cpu[side], 2)] for side in wall]
    print_table([["", "seconds", "CPU seconds"], *rows])
    ratio = statistics.median(ratios)
    print(f"a trial takes {ratio:.3f} of a fit's CPU time ({verdict(ratio, GOAL, at_least=False)})")
    begin = import_seconds()
    print(f"a worker's imports: {begin:.1f} s, once a worker")
    print_json("sweep_overhead", {
        "rounds": args.rounds, "steps": args.steps, "audit": args.audit,
        "ratio": figures(ratios), "fit_s": figures(wall["fit"]), "trial_s": figures(wall["trial"]),
        "imports_s": round(begin, 1),
    })  # fmt: skip


if __name__ == "__main__":
    main()
