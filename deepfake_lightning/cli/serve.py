"""``serve``: the detector over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console

from deepfake_lightning.cli.detector_choice import check_one
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace


def serve(
    version: str | None = None,
    bundle: str | None = None,
    env: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    processes: int = 1,
    workers: int | None = None,
    device: str = "cpu",
    token_file: str | None = None,
    rate: str | None = None,
    deadline: float = 30.0,
    queue: int | None = None,
    log: str | None = None,
    log_days: int | None = None,
    logs: str | None = None,
    keep_media: Literal["off", "review"] = "off",
    backend: Literal["local", "ray"] = "local",
    ray_address: str | None = None,
    workspace: str | None = None,
) -> int:
    """Answer requests over HTTP: a picture or clip in, an assessment out; with a page at `/`.

    Without a token only this machine is answered. Tokens of callers are made with `token create`;
    the operator's own comes from the variable DEEPFAKE_TOKEN or from a file. Callers send it as
    `Authorization: Bearer TOKEN`.

    Args:
        version: of the registry, v1.0.0.
        bundle: folder of a detector's bundle, instead.
        env: environment whose file says which versions serve, production; changes are followed.
        host: address to listen on; any but this machine's own needs a token.
        port: to listen on; 0 picks a free one.
        processes: that answer requests, each with its own copy of the detector.
        workers: processes of each that decode (default: its share of the cores, two at least).
        device: cpu (through ONNX), or cuda, cuda:1, ... (through PyTorch).
        token_file: file with the operator's token.
        rate: how often a caller may ask whose token does not say it, 600/minute; each of several
            processes lets its share through.
        deadline: seconds in which a request is answered or refused.
        queue: requests that may wait (default: 16 for each worker); others get 503.
        log: prediction log, a path or a database URL (default: $DEEPFAKE_LOG, which other users do
            not see as they see flags, or monitoring/predictions.db in the workspace).
        log_days: requests older than this are removed from it once an hour; sums by the minute stay
            (default: none is; `log prune` removes them by hand).
        logs: folder of the server's own log, JSON lines; - is stderr (default: monitoring/logs in
            the workspace).
        keep_media: review keeps the pictures and short clips of requests that are drawn for review
            in monitoring/media, until they are reviewed and room is wanted, too old, or erased;
            monitoring/policy/review.yaml says how much, and how many requests are drawn.
        backend: local answers on this machine; ray has --processes replicas of the same app on the
            CPUs of a Ray cluster, and begins those anew that end. On one machine that is slower
            and takes several times the memory: it is for many machines, which have to see
            workspace and bundle under the same paths. There the prediction log has to be
            PostgreSQL's, long clips and /metrics are refused, and the proxy before the replicas,
            which listens on the cluster's head, is without this server's bounds on connections.
            Killed, the command leaves the replicas of such a cluster behind: `serve shutdown`, of
            Ray, on one of its machines ends them.
        ray_address: of the cluster's head, 10.0.0.1:6379, or auto on one of its machines (default:
            $RAY_ADDRESS, or a Ray of this machine alone, started and ended by this command).
            Whoever reaches a cluster's ports runs code on it: keep them in a private network.
        workspace: where the workspace is (default: mlops).
    """
    check_one(version=version, bundle=bundle, env=env)
    _check_numbers(
        processes=processes, workers=workers, queue=queue, deadline=deadline, log_days=log_days
    )
    if ray_address is not None and backend != "ray":
        raise UsageError(f"--ray_address {ray_address} is given, and this machine alone serves",
                         next_step="pass --backend ray, too, or leave it out")  # fmt: skip
    from deepfake_lightning.serving.access.callers import parse_rate
    from deepfake_lightning.serving.access.tokens import FILE as TOKENS
    from deepfake_lightning.serving.access.tokens import TokenStore
    from deepfake_lightning.serving.server import check_address, listen, read_token
    from deepfake_lightning.serving.settings import Bounds, Settings

    found = Workspace.find(workspace)
    _check_environment(env, found)
    token = read_token(token_file)
    asks = token is not None or bool(TokenStore(found.serving / TOKENS))
    check_address(host, asks)
    settings = Settings(
        workspace=found.root.absolute(),
        version=_resolved(version, found),
        bundle=Path(bundle) if bundle else None,
        environment=env,
        processes=processes,
        workers=workers,
        device=device,
        token=token,
        asks=asks,
        rate=parse_rate(rate) if rate else None,
        log=log,
        log_days=log_days,
        logs=logs or str((found.monitoring / "logs").absolute()),
        keep_media=keep_media == "review",
        bounds=Bounds(queue=queue, deadline=deadline),
    )
    if backend == "ray":
        from deepfake_lightning.serving.on_ray import serve_on_ray

        serve_on_ray(settings, host, port, ray_address, _say)
        return 0
    with listen(host, port) as listener:
        from deepfake_lightning.monitoring.log import PredictionLog  # slow, as is what follows

        PredictionLog(settings.log_place).close()  # what is wrong with it is said here
        from deepfake_lightning.monitoring.review import policy_of

        policy_of(found)
        from deepfake_lightning.serving.running import run_one, run_several

        run_server = run_several if processes > 1 else run_one
        run_server(settings, listener, asks, _say)
    return 0


def _check_numbers(
    *,
    processes: int,
    workers: int | None,
    queue: int | None,
    deadline: float,
    log_days: int | None,
) -> None:
    if processes < 1:
        raise UsageError(f"--processes {processes} leaves nobody to answer",
                         next_step="pass 1 or more")  # fmt: skip
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers} leaves nobody to work", next_step="pass 1 or more")
    if queue is not None and queue < 0:
        raise UsageError(f"--queue {queue} is below 0", next_step="pass 0 or more")
    if not deadline > 0:
        raise UsageError(f"--deadline {deadline:g} leaves no time", next_step="pass seconds")
    if log_days is not None and log_days < 1:
        raise UsageError(f"--log_days {log_days} keeps nothing", next_step="pass 1 or more")


def _resolved(version: str | None, workspace: Workspace) -> str | None:
    """Return what ``latest`` or an environment means now: a process that is replaced later must
    not serve another one.
    """
    from deepfake_lightning.registry import Registry

    return None if version is None else Registry(workspace).get(version).version


def _check_environment(name: str | None, workspace: Workspace) -> None:
    """Refuse an environment that nobody has: a typing mistake would be waited for."""
    from deepfake_lightning.schemas.environment import ENVIRONMENTS

    others = {path.stem for path in workspace.environments.glob("*.json")}
    if name is not None and name not in (known := {*ENVIRONMENTS, *others}):
        raise UsageError(
            f"there is no environment {name!r}",
            why=f"there are {', '.join(sorted(known))}",
            next_step=f"pass one of them, or write {workspace.environments}/NAME.json",
        )


def _say(text: str) -> None:
    Console().print(text, highlight=False, markup=False, soft_wrap=True)
