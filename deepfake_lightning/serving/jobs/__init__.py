"""Long videos as jobs: kept on disk, done one at a time, asked after while they run.

Of N server processes on one workspace each has a :class:`JobStore`, to accept jobs and to answer,
and a :class:`JobRunner`; one of the runners works. The routes (``routes.py``) are the only part
that knows a web framework.
"""

from deepfake_lightning.serving.jobs.job import Job, JobError, Order, State
from deepfake_lightning.serving.jobs.runner import JOB_LIMITS, JobRunner, JobSettings
from deepfake_lightning.serving.jobs.store import JobStore, QueueFull

__all__ = [
    "JOB_LIMITS",
    "Job",
    "JobError",
    "JobRunner",
    "JobSettings",
    "JobStore",
    "Order",
    "QueueFull",
    "State",
]
