"""``tune``: better hyperparameters, chosen on validation."""

from __future__ import annotations

import sys
from json import dumps

from rich.console import Console

from deepfake_lightning.cli.process import missing_settings
from deepfake_lightning.storage import Workspace


def tune(
    config: str = "configs/sweep.yaml",
    trials: int | None = None,
    workers: int | None = None,
    storage: str | None = None,
    study: str | None = None,
    workspace: str | None = None,
    register: bool = False,
    json: bool = False,
) -> int:
    """Search hyperparameters: many trainings of `fit`, each with other values of some keys.

    Bad trials are given up early. The best values are chosen on the validation split, and written
    as a configuration to lay over the base. Interrupted or killed, the same command goes on:
    finished trials count. Exit codes: 0 searched; 2 wrong use, 1 the machine's fault, 130
    interrupted.

    Args:
        config: the sweep: its base, search space and objective.
        trials: that are to be finished in all (default: as the file says, as for those below).
        workers: processes, each of which trains one trial at a time.
        storage: an Optuna storage URL, such as sqlite:///sweeps.db, or the path of a journal.
        study: its name; another one begins anew.
        workspace: where the workspace is (default: mlops).
        register: train the best values anew, and register what comes of it.
        json: print the result as JSON, and nothing else.
    """
    from deepfake_lightning.cli.tune_progress import SweepProgress
    from deepfake_lightning.cli.tune_summary import print_sweep
    from deepfake_lightning.tuning.sweep import read_sweep

    sweep = read_sweep(config, trials=trials, workers=workers, storage=storage, study=study)
    console = Console(stderr=json)
    with SweepProgress(console, sweep.trials, sweep.objective) as progress:
        from deepfake_lightning.tuning.run import run_sweep

        result = run_sweep(
            sweep, workspace=workspace, environment=missing_settings(), progress=progress.show
        )
    if register and result.status != "interrupted" and result.best is not None:
        from deepfake_lightning.cli.training import without_chatter
        from deepfake_lightning.tuning.registering import train_and_register

        # After the sweep's bar: a training draws its own.
        found = result
        result = without_chatter(lambda: train_and_register(found, Workspace.find(workspace)))
    if json:
        sys.stdout.write(dumps(result.to_dict(), allow_nan=False) + "\n")
    else:
        print_sweep(console, result)
    return 130 if result.status == "interrupted" else 0
