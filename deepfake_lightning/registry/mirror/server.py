"""An MLflow server that is spoken to: its client, its faults as ours, nothing told to others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deepfake_lightning.errors import MirrorError, UsageError
from deepfake_lightning.processes import variables
from deepfake_lightning.registry.mirror.address import (
    PASSWORD_VARIABLE,
    URI_VARIABLE,
    USER_VARIABLE,
    Address,
    parse_address,
)

_OWN = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",  # a minute: a server that is restarted is back
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True)
class Server:
    """A server.

    Attributes:
        uri: without a password.
        client: ``mlflow.MlflowClient``.
    """

    uri: str
    client: Any

    def get(self, endpoint: str, params: dict[str, str]) -> Any:
        """Return the open answer to a GET: its bytes come as they are read."""
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import augmented_raise_for_status, http_request

        answer = http_request(
            get_default_host_creds(self.uri), endpoint, "GET", params=params, stream=True,
            extra_headers={"Accept-Encoding": "identity"},  # what comes is as long as it is
        )  # fmt: skip
        augmented_raise_for_status(answer)
        return answer


@contextmanager
def open_server(given: str | None) -> Iterator[Server]:
    """Open a server; what it refuses, and that it is away, is raised as a typed error.

    User and password go to MLflow by its own variables, so that no address with them is anywhere.

    Args:
        given: its address; None: ``$MLFLOW_TRACKING_URI``.

    Raises:
        UsageError: there is no address, it is none, or the extra is not installed.
        MirrorError: the server is away, or refuses.
    """
    address = _address(given)
    with variables(_variables(address)):
        mlflow = _library()
        try:
            yield Server(address.uri, mlflow.MlflowClient(address.uri, address.uri))
        except mlflow.MlflowException as error:
            raise _fault(address, error) from None  # whose text may hold what it was sent
        except OSError as error:  # of requests, too
            if not type(error).__module__.startswith(("requests", "urllib3")):
                raise
            raise _fault(address, error) from None


def _address(given: str | None) -> Address:
    if given:
        return parse_address(given, "the server's address")
    if found := os.environ.get(URI_VARIABLE):
        return parse_address(found, f"${URI_VARIABLE}")
    raise UsageError(
        "no MLflow server is named", next_step=f"pass --server URI, or set {URI_VARIABLE}"
    )


def _library() -> Any:
    try:
        import mlflow
    except ImportError as error:
        raise UsageError(
            f"an MLflow server needs what is not installed: {error.name or error}",
            next_step="pip install 'deepfake-lightning[mlflow]'",
        ) from error
    return mlflow


def _variables(address: Address) -> dict[str, str]:
    """Return what MLflow's client reads from the environment."""
    own = {name: value for name, value in _OWN.items() if name not in os.environ}
    if address.user is not None:
        own[USER_VARIABLE] = address.user
    if address.password is not None:
        own[PASSWORD_VARIABLE] = address.password
    return own


def _fault(address: Address, error: Exception) -> MirrorError:
    text = " ".join(str(error).split())
    for secret in (address.password, os.environ.get(PASSWORD_VARIABLE),
                   os.environ.get("MLFLOW_TRACKING_TOKEN")):  # fmt: skip
        if secret:
            text = text.replace(secret, "***")
    away = "Max retries exceeded" in text or "Connection" in text
    if away:
        return MirrorError(
            f"the MLflow server {address.uri} does not answer",
            why="what was done so far is kept there",
            next_step="look at it, then run the command again: it goes on where it stopped",
        )
    return MirrorError(
        f"the MLflow server {address.uri} refuses: {text[:300]}",
        next_step=f"check its rights ({USER_VARIABLE}, {PASSWORD_VARIABLE}, MLFLOW_TRACKING_TOKEN),"
        " then run the command again: it goes on where it stopped",
    )
