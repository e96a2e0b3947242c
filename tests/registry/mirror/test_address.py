"""Addresses of servers: a password in one goes nowhere else."""

from __future__ import annotations

import sys

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry.mirror.address import has_password, parse_address
from deepfake_lightning.registry.mirror.server import open_server


@pytest.mark.parametrize(
    ("given", "uri", "user", "password"),
    [
        ("http://mlflow:5000", "http://mlflow:5000", None, None),
        ("https://mlflow/team/", "https://mlflow/team", None, None),
        ("http://ada:s%40cret@mlflow:5000", "http://mlflow:5000", "ada", "s@cret"),
        ("http://[::1]:5000", "http://[::1]:5000", None, None),
    ],
)
def test_a_password_is_taken_out(given: str, uri: str, user: object, password: object) -> None:
    found = parse_address(given, "--server")
    assert (found.uri, found.user, found.password) == (uri, user, password)
    assert "s@cret" not in repr(found)
    assert has_password(given) is (password is not None)


@pytest.mark.parametrize(
    "given",
    ["", "mlflow:5000", "file:///tmp/secret", "sqlite:///secret.db", "http://", "http://h:secret",
     "http://h?token=secret", "http://h/#secret", "http://[secret"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(UsageError, match="--server is no address") as caught:
        parse_address(given, "--server")
    assert "secret" not in str(caught.value)


def test_a_server_has_to_be_named_and_the_extra_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="no MLflow server is named"), open_server(None):
        pass
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError) as caught, open_server("http://127.0.0.1:9"):
        pass
    assert "deepfake-lightning[mlflow]" in caught.value.next_step
