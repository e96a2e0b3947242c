"""Many files with several processes: one that crashes or hangs costs that file, and no other.

``jobs`` is what callers use: :func:`run_jobs` does jobs in processes of this machine (``pool``), or
on a Ray cluster (``ray_workers``) that :func:`open_cluster` has opened. ``own`` is what such a
process does with itself; ``variables`` sets the environment's for a while. Ray is imported where a
cluster is opened, and nowhere before.
"""

from deepfake_lightning.processes.cores import available_cores
from deepfake_lightning.processes.jobs import count_workers, run_jobs
from deepfake_lightning.processes.outcomes import Lost, run_here
from deepfake_lightning.processes.own import end_with_parent, prepare_process
from deepfake_lightning.processes.ray_cluster import OWN, Cluster, cluster_address, open_cluster
from deepfake_lightning.processes.variables import variables

__all__ = [
    "OWN",
    "Cluster",
    "Lost",
    "available_cores",
    "cluster_address",
    "count_workers",
    "end_with_parent",
    "open_cluster",
    "prepare_process",
    "run_here",
    "run_jobs",
    "variables",
]
