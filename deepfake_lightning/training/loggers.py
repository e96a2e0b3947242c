"""Loggers that a configuration names: what they need is looked at before a training begins."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry.mirror.address import (
    PASSWORD_VARIABLE,
    URI_VARIABLE,
    USER_VARIABLE,
    has_password,
)
from deepfake_lightning.registry.mirror.server import open_server

_ADDRESS = "--trainer.logger.init_args.tracking_uri"


def check_loggers(given: Any) -> None:
    """Refuse an ``MLFlowLogger`` that could not log.

    Args:
        given: the setting ``trainer.logger``, before anything is made of it.

    Raises:
        UsageError: MLflow is not installed, no server is named, or a password stands in its address
            (the run's configuration would keep it).
        MirrorError: the server does not answer, or refuses.
    """
    for uri in _mlflow_addresses(given):
        if find_spec("mlflow") is None:
            raise UsageError(
                "MLFlowLogger needs mlflow, which is not installed",
                next_step="pip install 'deepfake-lightning[mlflow]'",
            )
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        if not uri:
            raise UsageError(
                "MLFlowLogger does not know its server",
                next_step=f"set {URI_VARIABLE} to its address, or pass {_ADDRESS} URI",
            )
        if has_password(uri):
            raise UsageError(
                "a password stands in the address of MLFlowLogger's server",
                why="the run's configuration, and the version made of it, would keep it",
                next_step=f"take it out, and set {USER_VARIABLE} and {PASSWORD_VARIABLE}",
            )
        if uri.startswith(("http://", "https://")) and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            with open_server(uri) as server:  # not after the data have been read for an hour
                server.client.search_experiments(max_results=1)


def _mlflow_addresses(given: Any) -> Iterable[str | None]:
    for one in given if isinstance(given, list | tuple) else [given]:
        path = str(_part(one, "class_path") or "")
        if path.rpartition(".")[2] == "MLFlowLogger":
            yield _part(_part(one, "init_args"), "tracking_uri")


def _part(content: Any, name: str) -> Any:
    return content.get(name) if hasattr(content, "get") else None
