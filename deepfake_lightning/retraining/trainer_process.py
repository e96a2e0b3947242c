"""The process that trains: ``python -m deepfake_lightning.retraining.trainer_process``.

It reads a :class:`~deepfake_lightning.retraining.trainer_job.Job` from its standard input, and ends
when the loop that started it does, at whatever moment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deepfake_lightning.processes import end_with_parent
from deepfake_lightning.retraining.trainer_job import INTERRUPTED, WRONG, Job
from deepfake_lightning.storage import lock, write_json


def main() -> int:
    """Train; what is printed goes into the loop's log."""
    job = Job.from_json(sys.stdin.read())
    end_with_parent()
    if os.getppid() != job.parent:  # it ended before it could be watched
        return INTERRUPTED
    sys.path.append(str(Path.cwd()))  # callbacks of one's own, as for `fit`
    from deepfake_lightning.errors import DeepfakeLightningError
    from deepfake_lightning.retraining.warm_start import Steps, WarmStart
    from deepfake_lightning.training.run import fit

    warm = [] if job.warm_start is None else [WarmStart(job.warm_start)]
    try:
        with lock(Path(job.guard)):
            result = fit(["fit", *job.args], [*warm, Steps(job.progress)])
    except DeepfakeLightningError as error:
        said = {"kind": type(error).__name__, "what": error.what, "why": error.why,
                "next_step": error.next_step}  # fmt: skip
        write_json(Path(job.error), said)
        return WRONG
    return INTERRUPTED if result.status == "interrupted" else 0


if __name__ == "__main__":
    sys.exit(main())
