"""A Ray cluster that does jobs: one that runs already, or one of this machine, started for them.

Ray sends functions and what they take between its processes as pickles, and whoever reaches its
ports runs code on all of its machines. So a cluster is trusted like one's own account: its ports
belong into a private network, with ``RAY_AUTH_MODE=token``. One that is started here listens on
loopback alone, behind a token that was made for it. Nothing that comes from outside of the cluster
is read as a pickle.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import ClusterError, UsageError
from deepfake_lightning.processes.cores import available_cores
from deepfake_lightning.processes.variables import variables
from deepfake_lightning.temporary import temporary_folder

ADDRESS = "RAY_ADDRESS"
OWN = "local"
"""The address of a cluster of this machine that is started for whoever asks."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it tells its makers of each cluster
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns that this will be so one day
}
# Where Ray knows no clusters all of its processes listen on loopback; an address of loopback that
# is given to it is replaced by another one.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_REACH_SECONDS = 5.0
_STORE_BYTES = 100 << 20  # for what is too large to be sent along; Ray wants 75 MiB
_FOLDER = "deepfake-ray-"
_LONGEST_TEMPORARY = 40  # characters: sockets lie below, whose paths have 107 at most
_tokens: list[str] = []  # one at most: Ray reads it once in the life of a process


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        cores: of all its machines, as they were told to Ray.
        is_own: whether it is of this machine, and ends with the command.
    """

    cores: int
    is_own: bool


def cluster_address(given: str | None = None) -> str:
    """Return the address that was given, ``$RAY_ADDRESS``, or :data:`OWN`."""
    return given or os.environ.get(ADDRESS) or OWN


@contextmanager
def open_cluster(address: str | None = None, *, cores: int | None = None) -> Iterator[Cluster]:
    """Connect to a Ray cluster, or start one; end it, if it was started here.

    Args:
        address: of the cluster's head, ``10.0.0.1:6379``, or ``auto`` for the one that this machine
            is part of; None: ``$RAY_ADDRESS``, or a cluster of this machine alone.
        cores: that a cluster of this machine offers; None: those that there are.

    Raises:
        ClusterError: Ray is not installed or does not start, or the cluster cannot be reached.
        UsageError: the address is none.
    """
    given = cluster_address(address)
    if given != OWN:
        _check_reachable(given)
    _check_installed()
    if given == OWN:
        with _own(cores or available_cores()) as cluster:
            yield cluster
        return
    with _connected(given) as ray:
        yield Cluster(max(1, int(ray.cluster_resources().get("CPU", 0))), is_own=False)


@contextmanager
def _own(cores: int) -> Iterator[Cluster]:
    """Start a cluster that other users and machines cannot use, and end it."""
    if not _tokens:
        if "ray" in sys.modules and not sys.modules["ray"].is_initialized():
            raise ClusterError(
                "Ray was imported before it was told to listen on loopback alone",
                next_step="open the cluster before `import ray`, or call ray.init() yourself",
            )
        _tokens.append(secrets.token_hex(32))
    private = {**_LOOPBACK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _tokens[0]}
    with _temporary() as folder, variables(private), _connected(
        OWN, num_cpus=cores, include_dashboard=False, object_store_memory=_STORE_BYTES,
        _temp_dir=folder,
    ):  # fmt: skip
        yield Cluster(cores, is_own=True)


def _check_installed() -> None:
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "Ray is not installed", next_step="pip install 'deepfake-lightning[ray]'"
        )


def _check_reachable(address: str) -> None:
    """Refuse an address where nobody answers: Ray would try for a minute."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise UsageError(
            f"{address} is no address of a Ray cluster",
            why="work is given out from a machine of the cluster, which sees the same files",
            next_step="pass its head's HOST:PORT, 10.0.0.1:6379, or auto on one of its machines",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise ClusterError(
            f"the Ray cluster at {address} cannot be reached: {error}",
            next_step="pass the address that `ray start --head` prints, or leave --ray_address out "
            "for this machine alone",
        ) from error


@contextmanager
def _connected(address: str, **options: Any) -> Iterator[Any]:
    """Connect, and disconnect; a connection that is there already is used, and kept."""
    quiet = {name: value for name, value in _QUIET.items() if name not in os.environ}
    with variables(quiet):
        import ray

        if ray.is_initialized():
            yield ray
            return
        try:
            with _own_signals():
                ray.init(address, log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:  # Ray has no errors of its own for this
            raise _does_not_start(address, error) from error
        # What happens to the cluster it would print among a command's results; no flag is for that.
        ray._private.worker._worker_logs_enabled = False
        try:
            yield ray
        finally:
            ray.shutdown()


def _does_not_start(address: str, error: Exception) -> ClusterError:
    why = str(error).strip().partition("\n")[0]
    if address == OWN:
        return ClusterError(
            "Ray does not start on this machine", why=why,
            next_step="after 30 seconds Ray gives up, which a busy machine may need: try again",
        )  # fmt: skip
    return ClusterError(
        f"the Ray cluster at {address} takes no work", why=why,
        next_step="see what `ray status` says; this machine has to be part of the cluster, with "
        "the same versions of Python and Ray, and its token",
    )  # fmt: skip


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does at SIGTERM: Ray would take it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _temporary() -> Iterator[str]:
    """Yield a folder of this user alone for sockets and logs of Ray."""
    usual = tempfile.gettempdir()
    place = Path(usual if len(usual) <= _LONGEST_TEMPORARY else "/tmp")
    with temporary_folder(_FOLDER, place) as folder:
        inner = folder / "ray"  # which Ray opens to all
        inner.mkdir()
        yield str(inner)
